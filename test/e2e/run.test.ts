/** `eco run`: the supervisor in the foreground, for containers and development. */

import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { leftOf, runInForeground, temporaryFolder } from '../support/foreground.ts'
import { freePort } from '../support/ports.ts'
import { isRunning } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }
const once = { restart: { policy: 'never' } }

function sh(script: string): { command: string[] } {
  return { command: ['sh', '-c', script.replaceAll('$', '$$$$')] }
}

async function expectNothingLeft(rig: Rig): Promise<void> {
  // The guardian is told to go, and goes.
  await eventually(() => expect(leftOf(rig)).toEqual({ folders: [], processes: [] }))
  expect(existsSync(rig.home) ? readdirSync(rig.home) : []).toEqual(existsSync(rig.home) ? ['cache'] : [])
}

test('prints what the apps write with the names of their instances, ends them at SIGTERM, and leaves nothing', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: { api: { ...sh('echo to-out; echo to-err >&2; exec sleep 1000'), instances: 2 }, other: sleeper },
  })
  const run = runInForeground(rig)
  await run.until('api#1 ready')
  await run.until('other#0 ready')
  expect(run.lines().sort()).toEqual(['api#0   | to-out', 'api#1   | to-out'])
  expect(run.stderr()).toContain('api#0   | to-err\n')
  expect(run.stderr()).not.toContain('to-out')
  run.signal('SIGTERM')
  expect(await run.ended()).toBe(0)
  expect(run.stderr()).toContain('eco     | other#0 stopped')
  await expectNothingLeft(rig)
})

test('prints the lines of a single instance as they are', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { one: { ...sh('echo just this; printf "no newline"'), ...once } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('just this\nno newline\n')
})

test('prints objects with --json, its own messages too', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { one: { ...sh('echo "a \\"b\\""; echo bad >&2'), ...once } } })
  const run = runInForeground(rig, ['--json'])
  expect(await run.ended()).toBe(0)
  const lines = run.lines().map((line) => JSON.parse(line) as Record<string, string>)
  expect(lines.map(({ app, instance, stream, message }) => [app, instance, stream, message].join(' ')).sort()).toEqual([
    'one one#0 stderr bad',
    'one one#0 stdout a "b"',
  ])
  for (const { time } of lines) expect(time).toMatch(/^\d{4}-.*Z$/)
  const own = run.stderr().split('\n').filter(Boolean)
  expect(own.map((line) => (JSON.parse(line) as { stream: string }).stream)).toEqual(own.map(() => 'eco'))
})

test('ends with 0 once all jobs are done, in the order of their dependencies', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: {
      second: { kind: 'job', ...sh('echo second'), depends_on: { first: 'completed' } },
      first: { kind: 'job', ...sh('sleep 0.2; echo first') },
    },
  })
  const run = runInForeground(rig, ['--no-prefix'])
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('first\nsecond\n')
  await expectNothingLeft(rig)
})

test('ends the others in order when a job fails that they depend on, and says why, with its last words', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: {
      migrate: { kind: 'job', ...sh('echo migrating; echo no such table >&2; exit 3'), depends_on: { db: 'ready' } },
      api: { ...sh('echo never'), depends_on: { migrate: 'completed' } },
      db: sleeper,
    },
  })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.stderr()).toMatch(/migrate#0 has failed for good: exited with code 3/)
  expect(run.stderr()).toMatch(/its last words:\n.* no such table/)
  expect(run.stderr()).toContain('db#0 stopped')
  expect(run.stdout()).not.toContain('never')
  await expectNothingLeft(rig)
})

test('ends when an app has used up its restarts', async () => {
  const rig = await createRig()
  const restart = { max: 4, window: '60s', backoff: { initial: '10ms', max: '20ms' } }
  rig.write('ecosystem.yaml', { apps: { bad: { ...sh('echo started; exit 3'), restart }, good: sleeper } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.lines().filter((line) => line.includes('bad#0'))).toHaveLength(5)
  expect(run.stderr()).toMatch(/bad#0 has failed for good: exited with code 3: 4 restarts/)
  expect(run.stderr()).toContain('good#0 stopped')
})

test('ends when an app does not get ready in time', async () => {
  const rig = await createRig()
  const ready = { log: '/never/', timeout: '300ms' }
  rig.write('ecosystem.yaml', { apps: { bad: { ...sleeper, ready }, good: sleeper } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.stderr()).toContain('bad#0 was not ready within 0.3s')
})

test('goes on trying as the restart policy says, and brings up late what waited', async () => {
  const rig = await createRig()
  const flaky = sh('echo x >> tries; [ $(wc -l < tries) -gt 5 ] || exit 1; exec sleep 1000')
  const restart = { backoff: { initial: '10ms', max: '20ms' } }
  rig.write('ecosystem.yaml', { apps: { db: { ...flaky, restart }, api: { ...sleeper, depends_on: { db: 'ready' } } } })
  const run = runInForeground(rig)
  await run.until('its restart policy goes on trying')
  await run.until('api#0 ready')
  run.signal('SIGINT')
  expect(await run.ended()).toBe(0)
  expect(run.stderr().indexOf('api#0 stopped')).toBeLessThan(run.stderr().indexOf('db#0 stopped'))
})

test('does not wait for ever for an app that has ended', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: { db: { ...sh('true'), ...once }, api: { ...sleeper, depends_on: { db: 'ready' } } },
  })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.stderr()).toMatch(/api did not start: waits for db/)
})

test('lets the others go on with --keep-going, and tells the failure in the end', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: { bad: { ...sh('exit 3'), ...once }, good: { ...sh('sleep 1; echo done'), ...once } },
  })
  const run = runInForeground(rig, ['--keep-going'])
  expect(await run.ended()).toBe(7)
  expect(run.stdout()).toContain('done')
})

test('waits for a change of its files when a watched app has failed', async () => {
  const rig = await createRig()
  const script = rig.write('src/app.mjs', 'throw new Error("typo")')
  rig.write('ecosystem.yaml', { apps: { api: { script, watch: ['src'], ...once } } })
  const run = runInForeground(rig)
  await run.until('typo')
  await run.until('restart policy is never')
  await run.until('watching src')
  rig.write('src/app.mjs', 'console.log("mended"); setInterval(() => {}, 1000)')
  await run.until('mended')
  run.signal('SIGINT')
  expect(await run.ended()).toBe(0)
})

test('starts nothing of a file with a mistake, nor when a port is taken', async () => {
  const rig = await createRig()
  const port = await freePort()
  rig.write('bad.yaml', { apps: { api: { comand: ['sleep', '1'] } } })
  const bad = runInForeground(rig, ['bad.yaml'])
  expect(await bad.ended()).toBe(4)
  expect(bad.stderr()).toContain('did you mean "command"?')
  rig.write('ecosystem.yaml', { apps: { api: { command: ['node', fixture('http-server.mjs')], listen: port } } })
  const first = runInForeground(rig)
  await first.until('api#0 ready')
  const second = runInForeground(rig)
  expect(await second.ended()).toBe(5)
  expect(second.stderr()).toMatch(new RegExp(`api needs port ${port}, but pid ${first.pid}`))
  expect(second.stderr()).toContain('hint: stop what holds the port')
  expect(second.stderr()).not.toContain('bug')
  first.signal('SIGTERM')
  expect(await first.ended()).toBe(0)
  await expectNothingLeft(rig)
})

test('runs beside another one and beside a daemon, which it does not touch', async () => {
  const rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  const [pid] = await rig.pids('api')
  rig.write('ecosystem.yaml', { apps: { api: { command: ['sleep', '2000'] } } })
  const runs = [runInForeground(rig), runInForeground(rig)]
  for (const run of runs) await run.until('api#0 ready')
  expect(await rig.pids('api')).toEqual([pid])
  for (const run of runs) run.signal('SIGTERM')
  for (const run of runs) expect(await run.ended()).toBe(0)
  expect(await rig.pids('api')).toEqual([pid])
})

test('runs the apps that are named, and those they depend on', async () => {
  const rig = await createRig()
  const job = (text: string, ...on: string[]): object => ({
    kind: 'job',
    ...sh(`echo ${text}`),
    depends_on: Object.fromEntries(on.map((app) => [app, 'completed'])),
  })
  rig.write('ecosystem.yaml', { apps: { a: job('a'), b: job('b', 'a'), c: job('c') } })
  const run = runInForeground(rig, ['b', '--no-prefix'])
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('a\nb\n')
  const wrong = runInForeground(rig, ['ecosystem.yaml', 'nope'])
  expect(await wrong.ended()).toBe(5)
  expect(wrong.stderr()).toContain('nope')
})

test('takes the name of an app for one, whatever else is called so', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { ...sh('echo api'), ...once }, web: { ...sh('echo web'), ...once } } })
  mkdirSync(join(rig.dir, 'api'))
  rig.write('web', 'a program')
  const run = runInForeground(rig, ['api', '--no-prefix'])
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('api\n')
  expect(await runInForeground(rig, ['web']).ended()).toBe(0)
})

test('can be looked at and reloaded from outside while it runs', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { ...sh('echo hello; exec sleep 1000'), instances: 2 } } })
  const run = runInForeground(rig)
  await run.until('api#1 ready')
  const home = join(temporaryFolder(rig), readdirSync(temporaryFolder(rig))[0] ?? '')
  expect(run.stderr()).toContain(`ECO_HOME=${home} eco ls`)
  expect(statSync(home).mode & 0o777).toBe(0o700)
  const inside = { env: { ECO_HOME: home } }
  const listed = (await rig.eco(['ls', '--json'], inside)).json().apps[0]
  expect(listed).toMatchObject({ app: 'api', ready: 2 })
  expect((await rig.eco(['logs', '--no-follow'], inside)).stdout).toContain('api#0 | hello')
  expect((await rig.eco(['reload', 'api'], inside)).code).toBe(0)
  const again = (await rig.eco(['ls', '--json'], inside)).json().apps[0]
  const pids = (it: { instances: { pid: number }[] }): number[] => it.instances.map(({ pid }) => pid)
  expect(pids(again).some((pid) => pids(listed).includes(pid))).toBe(false)
  // Its pipes have no names, and that is how it should be.
  const { findings } = (await rig.eco(['doctor', '--json'], inside)).json() as { findings: { id: string }[] }
  expect(findings.map(({ id }) => id)).not.toContain('apps.logs_removed')
  expect((await rig.eco(['daemon', 'stop'], inside)).code).toBe(5)
  // An operator who stops an app does not end the run.
  expect((await rig.eco(['stop', 'api'], inside)).code).toBe(0)
  expect((await rig.eco(['start', 'api'], inside)).code).toBe(0)
  expect((await rig.eco(['daemon', 'stop', '--apps'], inside)).code).toBe(0)
  expect(await run.ended()).toBe(0)
  await expectNothingLeft(rig)
})

test('kills at a second Ctrl-C what does not end', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: {
      api: { command: ['node', fixture('ignore-sigterm.mjs')], ready: { log: '/./' }, stop: { timeout: '60s' } },
    },
  })
  const run = runInForeground(rig)
  await run.until('api#0 ready')
  run.signal('SIGINT')
  await run.until('SIGINT; stopping 1 instance')
  run.signal('SIGINT') // as npm and a terminal do: the same one
  await eventually(() => {
    run.signal('SIGINT')
    return run.stderr().includes('SIGINT again')
  })
  expect(await run.ended()).toBe(130)
  await expectNothingLeft(rig)
})

test('says by its exit code that an app had to be killed', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: {
      api: { command: ['node', fixture('ignore-sigterm.mjs')], ready: { log: '/./' }, stop: { timeout: '300ms' } },
    },
  })
  const run = runInForeground(rig)
  await run.until('api#0 ready')
  run.signal('SIGTERM')
  expect(await run.ended()).toBe(137)
})

test('passes SIGUSR1 and SIGUSR2 on', async () => {
  const rig = await createRig()
  const script = `for (const s of ['SIGUSR1', 'SIGUSR2']) process.on(s, () => console.log('got ' + s))
    setInterval(() => {}, 1000)
    console.log('listening')`
  rig.write('ecosystem.yaml', { apps: { api: { command: ['node', '-e', script], ready: { log: '/listening/' } } } })
  const run = runInForeground(rig)
  await run.until('api#0 ready')
  run.signal('SIGUSR2')
  await run.until('got SIGUSR2')
  run.signal('SIGUSR1')
  await run.until('got SIGUSR1')
  run.signal('SIGQUIT')
  expect(await run.ended()).toBe(0)
})

test('prints all that was written before a crash', async () => {
  const rig = await createRig()
  const script = `for (let i = 0; i < 3000; i++) console.log('line ' + i)
    console.error('boom'); process.exit(3)`
  rig.write('ecosystem.yaml', { apps: { api: { command: ['node', '-e', script], ...once } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.lines()).toHaveLength(3000)
  expect(run.stderr().indexOf('boom')).toBeLessThan(run.stderr().indexOf('exited with code 3'))
})

test('prints what hooks write, and their last words when they fail', async () => {
  const rig = await createRig()
  const hooks = { pre_start: { run: ['sh', '-c', 'echo preparing; exit 4'] } }
  rig.write('ecosystem.yaml', { apps: { api: { ...sleeper, hooks, ...once } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(7)
  expect(run.stderr()).toMatch(/^preparing$/m)
  expect(run.stderr()).toMatch(/its pre_start hook failed: exited with code 4.*\neco \| preparing/)
})

test('gives apps an output that they may open once more', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { ...sh('echo out > /dev/stdout; echo err > /dev/stderr'), ...once } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('out\n')
  expect(run.stderr()).toMatch(/^err$/m)
})

test('makes a chatty app wait for a slow reader, instead of growing, and loses nothing', async () => {
  const rig = await createRig()
  const total = 400_000
  rig.write('ecosystem.yaml', { apps: { api: { ...sh(`seq 1 ${total}`), ...once } } })
  const run = runInForeground(rig)
  run.child.stdout?.pause()
  await run.until('api#0 started')
  const memory = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${run.pid}/status`, 'utf8'))?.[1])
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(run.stderr()).not.toContain('exited')
  expect(memory()).toBeLessThan(200_000)
  run.child.stdout?.resume()
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe(Array.from({ length: total }, (_, n) => `${n + 1}\n`).join(''))
})

test('cuts an endless line, and passes bytes as they are with --raw', async () => {
  const rig = await createRig()
  const script = `yes x | tr -d '\\n' | head -c 20000000; echo`
  rig.write('ecosystem.yaml', { apps: { api: { ...sh(script), ...once } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(0)
  const lengths = run.lines().map(({ length }) => length)
  expect(Math.max(...lengths)).toBe(64 * 1024)
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(20_000_000)
  const raw = runInForeground(rig, ['--raw'])
  expect(await raw.ended()).toBe(0)
  expect(raw.stdout()).toBe(`${'x'.repeat(20_000_000)}\n`)
})

test('ends when nobody reads its output any more', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sh('while :; do echo x; sleep 0.05; done') } })
  const run = runInForeground(rig)
  await run.until('x\n')
  run.child.stdout?.destroy()
  expect(await run.ended()).toBe(0)
  expect(run.stderr()).toContain('nobody reads the output any more')
})

test('takes its apps along when it is killed', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sh('echo pid $$; exec sleep 1000') } })
  const run = runInForeground(rig)
  await run.until('api#0 ready')
  const pid = Number(/pid (\d+)/.exec(run.stdout())?.[1])
  expect(isRunning(pid)).toBe(true)
  run.signal('SIGKILL')
  await eventually(() => !isRunning(pid))
  await expectNothingLeft(rig)
})

test('seals secrets under a key of its own, and shows none', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: { api: { ...sh('echo "length ${#TOKEN}"'), env: { TOKEN: { from_env: 'TOKEN' } }, ...once } },
  })
  const run = runInForeground(rig, [], { env: { TOKEN: 'verysecret' } })
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('length 10\n')
  await expectNothingLeft(rig)
})

const canBeStranger = process.getuid?.() === 0 && hasSetpriv()
if (!canBeStranger)
  process.stderr.write('SKIPPED: not root, or no setpriv, so eco run was not tried as an unknown user\n')

function hasSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test.skipIf(!canBeStranger)('runs as a user that the machine does not know, with and without a home', async () => {
  const rig = await createRig()
  // Such a user may not see into the folders of whoever runs the tests.
  const root = dirname(rig.dir)
  chmodSync(root, 0o755)
  const dist = join(root, 'eco/dist')
  cpSync(dirname(ECO), dist, { recursive: true })
  mkdirSync(temporaryFolder(rig), { mode: 0o777 })
  chmodSync(temporaryFolder(rig), 0o1777)
  rig.write('ecosystem.yaml', { apps: { api: { ...sh('id -u; echo again > /dev/stdout'), ...once } } })
  const setpriv = ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups']
  for (const env of [{ ECO_HOME: '' }, { ECO_HOME: '', HOME: '/' }, { ECO_HOME: '', HOME: '' }]) {
    const run = runInForeground(rig, [], { command: [...setpriv, process.execPath, join(dist, 'eco.cjs')], env })
    expect(await run.ended()).toBe(0)
    expect(run.stdout()).toBe('54321\nagain\n')
  }
  expect(readdirSync(temporaryFolder(rig))).toEqual([])
})

test('needs a folder that it may write to, and takes the first there is', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { ...sh('echo fine'), ...once } } })
  const run = runInForeground(rig, [], { env: { TMPDIR: '/dev/null/tmp', ECO_HOME: '/dev/null/home' } })
  expect(await run.ended()).toBe(0)
  expect(run.stdout()).toBe('fine\n')
})
