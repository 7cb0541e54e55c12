import { expect, test } from 'vitest'
import { StormGuard } from '../../src/daemon/storm-guard.ts'

/** Bursts, each so long after the restart that the one before it led to. @returns the verdicts */
function verdicts(bursts: readonly (readonly [paths: readonly string[], afterMs: number])[]): (string | null)[] {
  const guard = new StormGuard()
  return bursts.map(([paths, afterMs], index) => guard.suspect(paths, 1000 + afterMs, index === 0 ? null : 1000))
}

test('a file that changes right after each of five restarts is suspected', () => {
  const bursts = Array.from({ length: 7 }, () => [['state.json'], 100] as const)
  expect(verdicts(bursts)).toEqual([null, null, null, null, null, 'state.json', 'state.json'])
})

test('a developer who saves often is not: with time between, or other files each time', () => {
  expect(verdicts(Array.from({ length: 20 }, () => [['a.js'], 2500] as const)).every((it) => it === null)).toBe(true)
  const others = Array.from({ length: 20 }, (_, index) => [[`${index}.js`], 100] as const)
  expect(verdicts(others).every((it) => it === null)).toBe(true)
})

test('the file that is there every time is named, not those that change beside it', () => {
  const bursts = Array.from({ length: 6 }, (_, index) => [[`${index}.js`, 'state.json'], 100] as const)
  expect(verdicts(bursts).at(-1)).toBe('state.json')
})

test('a pause makes it begin afresh', () => {
  const storm = Array.from({ length: 5 }, () => [['state.json'], 100] as const)
  expect(verdicts([...storm, [['state.json'], 5000], ...storm.slice(1)]).every((it) => it === null)).toBe(true)
})
