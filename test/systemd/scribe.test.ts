import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { eventually } from '../support/eventually.ts'
import { ecoMachine } from './eco-machine.ts'
import { noMachine } from './machine.ts'

const none = skip('the scribe beside a unit of a real systemd', noMachine() ?? false)

const LOG = '/root/.eco/scopes/shop/default/logs/api-0.out.log'
/** Each run numbers its lines, which begin with a name of its own: pids come again after a boot. */
const WRITER = `run=$(cat /proc/sys/kernel/random/uuid); trap 'echo $run $i end; exit' TERM
i=0; while :; do echo $run $i; i=$((i+1)); sleep 0.02; done`

test.skipIf(none)('whatever systemd does, what an app writes by way of the scribe is there once', async () => {
  const on = await ecoMachine()
  const { machine, ok, pids, show, systemctl, kill } = on
  await ok('startup')
  await on.apply({ apps: { api: { command: ['sh', '-c', WRITER], logs: { format: 'json' } } } })
  const scribe = async (): Promise<string> => (await machine.must('pgrep', ['-f', 'scribe.cjs'])).trim()

  /** The messages of each run, in their order; every line of them is a whole one. */
  const runs = (): string[][] => {
    const byRun = new Map<string, string[]>()
    for (const line of machine.read(LOG).trim().split('\n')) {
      const [run = '', ...words] = (JSON.parse(line) as { message: string }).message.split(' ')
      byRun.set(run, [...(byRun.get(run) ?? []), words.join(' ')])
    }
    return [...byRun.values()]
  }
  const more = async (): Promise<void> => {
    const before = runs().at(-1)?.length ?? 0
    await eventually(() => expect(runs().at(-1)?.length).toBeGreaterThan(before + 20))
  }
  const whole = (run: readonly string[]): boolean =>
    run.every((words, index) => words === `${index}` || (index === run.length - 1 && words === `${index} end`))

  await eventually(() => expect(runs()).toHaveLength(1))
  const [before, first, daemon] = [await pids(), await scribe(), await show('MainPID')]
  expect((await systemctl('restart', 'eco')).code).toBe(0)
  await more()
  const second = await show('MainPID')
  expect(second).not.toBe(daemon)
  await kill(second, 'KILL')
  await more()
  await eventually(async () => expect(['0', second]).not.toContain(await show('MainPID')), 30_000)
  expect(await pids()).toEqual(before)
  expect(await scribe()).toBe(first)
  expect(runs().map(whole)).toEqual([true])

  await kill(first, 'KILL')
  await more()
  expect(await scribe()).not.toBe(first)
  expect(runs().map(whole)).toEqual([true])

  await machine.reboot()
  await eventually(() => expect(runs()).toHaveLength(2), 30_000)
  await more()
  expect(runs().map(whole)).toEqual([true, true])
  // It was told to end, and what it said then is there too.
  expect(runs()[0]?.at(-1)).toMatch(/ end$/)
})
