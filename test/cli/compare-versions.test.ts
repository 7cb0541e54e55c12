import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareVersions } from '../../src/cli/compare-versions.ts'

/** Each is older than the one after it; the middle is semver's own example. */
const IN_ORDER = [
  '0.1.0',
  '0.1.9',
  '0.1.10',
  '0.2.0-dev',
  '0.2.0',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1',
  '10.0.0',
]

test('versions are in the order of semver', () => {
  for (const [i, left] of IN_ORDER.entries()) {
    for (const [j, right] of IN_ORDER.entries()) {
      expect(Math.sign(compareVersions(left, right)), `${left} and ${right}`).toBe(Math.sign(i - j))
    }
  }
})

test('the build does not count', () => {
  expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0)
})

test('what is no version is neither older nor newer', () => {
  for (const text of ['', 'latest', '1.0', '1.0.0.0', 'v1.0.0']) {
    expect(compareVersions(text, '1.0.0')).toBe(0)
    expect(compareVersions('1.0.0', text)).toBe(0)
  }
})

test('turned round, it is the opposite', () => {
  const part = fc.nat({ max: 12 })
  const version = fc
    .tuple(part, part, part, fc.option(fc.array(fc.constantFrom('a', 'b', '1', '2', '10'), { minLength: 1 })))
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre ? `-${pre.join('.')}` : ''}`)
  fc.assert(
    fc.property(version, version, (a, b) => {
      expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0)
    }),
  )
})
