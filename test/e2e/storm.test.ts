import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

test('a daemon whose instances all crash at once, again and again, answers all the while', async () => {
  await using rig = await createRig()
  const crasher = {
    command: ['sh', '-c', 'exit 1'],
    instances: 20,
    restart: { max: 100_000, backoff: { initial: '50ms', max: '200ms' } },
  }
  const apps = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`crash${i}`, crasher]))
  expect((await rig.apply({ apps }, '--no-wait')).code).toBe(0)
  // What the same command takes with nothing to do is what this machine needs now; on a quiet one that is 60 ms.
  const [times, quiet]: [number[], number[]] = [[], []]
  for (let i = 0; i < 15; i++) {
    let started = performance.now()
    const listed = await rig.eco(['ls'])
    times.push(performance.now() - started)
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    started = performance.now()
    await rig.eco(['--version'])
    quiet.push(performance.now() - started)
  }
  const median = (all: number[]): number => all.sort((a, b) => a - b)[all.length >> 1] ?? 0
  expect(median(times)).toBeLessThan(300 + 2 * median(quiet))
  const restarts = (await rig.ls()).flatMap(({ instances }) => instances.map((it) => it.restarts))
  expect(restarts.length).toBe(100)
  expect(restarts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
})
