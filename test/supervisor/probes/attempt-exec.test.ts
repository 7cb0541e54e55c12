import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { attempt } from '../../../src/supervisor/probes/attempt.ts'
import { isRunning, processesWith } from '../../support/processes.ts'
import { eventually, startChild } from '../children.ts'
import { ask, openFiles, subjectOf } from './subjects.ts'

const shell = (script: string) => ({ type: 'exec' as const, command: ['sh', '-c', script] })
const subject = (environment: Record<string, string> = {}) =>
  subjectOf(process.pid, { environment: () => ({ PATH: process.env['PATH'] ?? '', ...environment }) })

test('exit code 0 passes; any other fails, with the last line it printed', async () => {
  expect(await ask(shell('exit 0'), subject())).toEqual({ type: 'success' })
  const failed = await ask(shell('echo one; printf "\\033[31mno leader\\tyet\\033[0m\\n\\n" >&2; exit 3'), subject())
  expect(failed).toEqual({ type: 'failure', reason: 'exec sh ended with exit code 3: no leader yet' })
  const killed = await ask(shell('kill -9 $$'), subject())
  expect(killed).toEqual({ type: 'failure', reason: 'exec sh was ended by SIGKILL' })
})

test('it runs in the folder and with the environment of the instance', async () => {
  const check = shell('test "$(pwd)" = /usr && test "$WHO" = api')
  const own = subjectOf(process.pid, { cwd: '/usr', environment: () => ({ PATH: '/usr/bin:/bin', WHO: 'api' }) })
  expect(await ask(check, own)).toEqual({ type: 'success' })
})

test('a command that cannot be run fails', async () => {
  const result = await ask({ type: 'exec', command: ['/no/such/program'] }, subject())
  expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('no such program') })
})

test('at its timeout it is killed with all it started, even with what left its session', async () => {
  const check = shell('echo $$; sleep 300 & echo $!; setsid sleep 300 & echo $!; echo waiting; wait')
  const marked = { MARK: `probe-${process.pid}` }
  const started = Date.now()
  const result = await ask(check, subject(marked), 600)
  expect(Date.now() - started).toBeLessThan(3000)
  expect(result).toEqual({ type: 'failure', reason: 'exec sh did not end within 0.6s: waiting' })
  await eventually(() => marks(`MARK=probe-${process.pid}`).length === 0)
})

test('what it leaves behind is killed too, and does not hold up the answer', async () => {
  const marked = { MARK: `left-${process.pid}` }
  const started = Date.now()
  expect(await ask(shell('sleep 300 & exit 0'), subject(marked), 20_000)).toEqual({ type: 'success' })
  expect(Date.now() - started).toBeLessThan(3000)
  await eventually(() => marks(`MARK=left-${process.pid}`).length === 0)
})

test('output without end ends it', async () => {
  const result = await ask({ type: 'exec', command: ['yes', 'x'.repeat(500)] }, subject(), 20_000)
  expect(result.type).toBe('failure')
})

test('ended early it is killed at once', async () => {
  const ended = new AbortController()
  const marked = { MARK: `early-${process.pid}` }
  const running = attempt(shell('sleep 300'), subject(marked), 60_000, ended.signal)
  await eventually(() => marks(`MARK=early-${process.pid}`).length > 0)
  ended.abort()
  expect((await running).type).toBe('inconclusive')
  expect(marks(`MARK=early-${process.pid}`)).toEqual([])
})

test('two hundred attempts leave no descriptor and no zombie', async () => {
  startChild(['sleep', '30'])
  await ask(shell('exit 1'), subject())
  const before = openFiles()
  for (let round = 0; round < 20; round++) {
    const checks = Array.from({ length: 10 }, (_, i) => (i % 2 ? shell('exit 1') : shell('echo x; sleep 100 & wait')))
    await Promise.all(checks.map((check) => ask(check, subject(), 100)))
  }
  expect(openFiles()).toBeLessThanOrEqual(before)
  await eventually(() => childrenOf(process.pid).every((pid) => isRunning(pid)))
})

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

function marks(entry: string): number[] {
  return processesWith(entry).filter((pid) => isRunning(pid))
}
