/** Where the output of instances goes, and what keeps a log from being opened. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { messageOf } from '../../src/logs/line-format.ts'
import { killDaemon } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { expectAll } from '../support/lines.ts'
import { runInForeground } from '../support/foreground.ts'
import { isRunning } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const says = (what = 'hello'): object => ({
  command: ['sh', '-c', `echo "${what} $ECO_INSTANCE"; echo "error $ECO_INSTANCE" >&2; exec sleep 1000`],
  ready: { delay: '200ms' },
})
const read = (rig: Rig, path: string): string => readFileSync(join(rig.dir, path), 'utf8')
const linesOf = (rig: Rig, path: string): string[] => read(rig, path).trim().split('\n').toSorted()

test('files of its own choice: for all, for each instance, for both streams, for none', async () => {
  await using rig = await createRig()
  const applied = await rig.apply({
    apps: {
      every: { ...says(), instances: 2, logs: { out: 'out/all.log', err: 'none' } },
      each: {
        ...says(),
        instances: 2,
        logs: { out: 'out/each-${instance}.log', err: 'out/each-${instance + 10}.err.log' },
      },
      both: { ...says(), logs: { merge: true } },
      one: { ...says(), logs: { out: 'out/one.log', err: 'out/one.log' } },
    },
  })
  expect(applied.code).toBe(0)
  expect(linesOf(rig, 'out/all.log')).toEqual(['hello 0', 'hello 1'])
  expect(linesOf(rig, 'out/each-1.log')).toEqual(['hello 1'])
  expect(linesOf(rig, 'out/each-11.err.log')).toEqual(['error 1'])
  expect(read(rig, 'out/one.log')).toBe('hello 0\nerror 0\n')
  expect(rig.output('both')).toBe('hello 0\nerror 0\n')
  expect(readdirSync(join(rig.home, 'scopes/demo/default/logs')).toSorted()).toEqual(['both-0.out.log'])
  expect(statSync(join(rig.dir, 'out')).mode & 0o777).toBe(0o700)
  expect(statSync(join(rig.dir, 'out/all.log')).mode & 0o777).toBe(0o600)
  const described = await rig.eco(['describe', 'every', 'both'])
  expect(described.stdout).toContain(`logs: out ${rig.dir}/out/all.log; err discarded`)
  expect(described.stdout).toContain('logs: err merged into out')
})

test('a change of the files rolls the app, a change of the rotation does not; adopted instances keep theirs', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...says(), logs: { out: 'a.log' } } } })
  const [first] = await rig.pids('app')
  rig.write('ecosystem.yaml', { apps: { app: { ...says(), logs: { out: 'a.log', keep: 3 } } } })
  expect((await rig.eco(['apply', '--yes'])).stdout).toMatch(/logs\.keep\s+10 -> 3|logs\.keep\s+10 → 3/)
  expect(await rig.pids('app')).toEqual([first])
  await killDaemon(rig)
  const described = (await rig.eco(['describe', 'app', '--json'])).json()
  expect(described.apps[0].logs[0]).toMatchObject({ path: join(rig.dir, 'a.log') })
  expect(await rig.pids('app')).toEqual([first])
  const { stdout } = await rig.apply({ apps: { app: { ...says(), logs: { out: 'b.log', keep: 3 } } } })
  expect(stdout).toMatch(/logs\.out .*a\.log.*b\.log/)
  expect(await rig.pids('app')).not.toEqual([first])
  expect(read(rig, 'b.log')).toBe('hello 0\n')
})

describe('a log that cannot be opened', () => {
  const cases: [what: string, prepare: (path: string) => void, reason: RegExp][] = [
    ['a symlink', (path) => symlinkSync('/etc/passwd', path), /is a symlink, which eco does not follow.*rm /],
    ['a folder', (path) => mkdirSync(path), /is a folder, and eco writes logs to files only/],
    ['a FIFO', (path) => execFileSync('mkfifo', [path]), /is a FIFO, and eco writes logs to files only/],
    ['below a file', (path) => writeFileSync(join(path, '..'), ''), /something in the path is not a folder: see namei/],
  ]
  test.each(['plain', 'json'])('is a reason not to start: %s', async (format) => {
    await using rig = await createRig()
    const apps = Object.fromEntries(
      cases.map(([what], index) => [
        `app${index}`,
        { ...says(what), logs: { out: `d${index}/it-\${instance}.log`, format } },
      ]),
    )
    for (const [index, [what, prepare]] of cases.entries()) {
      if (what !== 'below a file') mkdirSync(join(rig.dir, `d${index}`))
      prepare(join(rig.dir, `d${index}`, 'it-0.log'))
    }
    const restart = { policy: 'never' }
    const failed = await rig.apply({ defaults: { restart }, apps })
    expect(failed.code).not.toBe(0)
    for (const [index, [, , reason]] of cases.entries()) {
      const app = await rig.app(`app${index}`)
      expect(app.instances[0]?.reason).toMatch(reason)
      expect(app.instances[0]?.reason).toContain(join(rig.dir, `d${index}/it-0.log`))
    }
    expect(existsSync(join(rig.home, 'spool')) ? readdirSync(join(rig.home, 'spool')) : []).toEqual(
      format === 'plain' ? [] : expect.not.arrayContaining([expect.stringContaining('app')]),
    )
  })

  test('leaves the instances before it alone', async () => {
    await using rig = await createRig()
    await rig.apply({ apps: { app: says() } })
    const [pid = 0] = await rig.pids('app')
    symlinkSync('/etc/passwd', join(rig.dir, 'linked.log'))
    const rollout = { deadline: '5s', soak: '0s' }
    const failed = await rig.apply({ apps: { app: { ...says(), rollout, logs: { out: 'linked.log' } } } })
    expect(failed.code).not.toBe(0)
    expect(failed.stdout + failed.stderr).toContain('linked.log is a symlink')
    expect(await rig.pids('app')).toEqual([pid])
    expect(isRunning(pid)).toBe(true)
  })
})

test.for(['plain', 'time'])('an app does not stay down for want of room for its log: %s', async (format, context) => {
  await using rig = await createRig()
  const disk = join(rig.dir, 'disk')
  mountSmallDisk(context, disk, 'nr_inodes=2')
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, '')
  const applied = await rig.apply({ apps: { app: { ...says(), logs: { out: 'disk/app.log', format } } } })
  expect(applied.code).toBe(0)
  const { notes } = (await rig.app('app')).instances[0] ?? {}
  expect(notes).toEqual([
    expect.stringMatching(/its output is discarded until it is started again: .*disk\/app\.log .*no room.*ENOSPC/),
  ])
  expect((await rig.eco(['events', 'app'])).stdout).toContain('its output is discarded until it is started again')
  expect(rig.output('app', { stream: 'err' })).toContain('error 0')
  rmSync(ballast)
  await rig.eco(['restart', 'app'])
  await eventually(() => expect(read(rig, 'disk/app.log')).toContain('hello 0'))
  expect((await rig.app('app')).instances[0]?.notes ?? []).toEqual([])
})

test('what finds no room in a stamped log waits, and nothing of it is lost', async (context) => {
  await using rig = await createRig()
  const disk = join(rig.dir, 'disk')
  mountSmallDisk(context, disk, 'size=1m')
  const COUNT = 30_000 // three times what there is room for
  const env = { COUNT: String(COUNT), PROGRESS: 'progress' }
  const logs = { out: 'disk/app.log', format: 'time', rotation: 'off' }
  const app = { script: fixture('writes-lines.mjs'), env, logs, ready: { delay: '10ms' } }
  await rig.apply({ apps: { app } })
  await eventually(() => expect(read(rig, 'progress')).toBe(String(COUNT)))
  const log = join(disk, 'app.log')
  await eventually(() => expect(readFileSync(join(rig.home, 'daemon.log'), 'utf8')).toMatch(/no room.*ENOSPC.*is kept/))
  execFileSync('mount', ['-o', 'remount,size=20m', disk])
  await eventually(() => expectAll(readFileSync(log, 'utf8'), 'time', COUNT))
})

test('eco run shows what goes to files under a daemon, and makes none of them', async () => {
  await using rig = await createRig()
  const app = { kind: 'job', command: ['sh', '-c', 'echo shown; echo hidden >&2'] }
  rig.write('ecosystem.yaml', { apps: { app: { ...app, logs: { out: 'out/app.log', err: 'none', format: 'json' } } } })
  const run = runInForeground(rig)
  expect(await run.ended()).toBe(0)
  expect(run.lines()).toEqual(['shown'])
  expect(run.stderr()).not.toContain('hidden')
  expect(existsSync(join(rig.dir, 'out'))).toBe(false)
})

test.for(['plain', 'json'])(
  'the log of an app that runs as another user can be opened once more: %s',
  async (format, context) => {
    if (process.getuid?.() !== 0) {
      console.warn(`SKIPPED ${context.task.name}: only root can run apps as others`)
      return context.skip()
    }
    await using rig = await createRig()
    const command = ['sh', '-c', 'echo "uid $(id -u)"; echo again >> /dev/stdout; exec sleep 1000']
    const logs = { out: 'out/app.log', format }
    await rig.apply({ apps: { app: { command, cwd: '/', user: 65534, group: 65534, logs } } })
    await eventually(() => {
      const messages = linesOf(rig, 'out/app.log').map((line) => messageOf(line, format as 'plain' | 'json'))
      expect(messages.toSorted()).toEqual(['again', 'uid 65534'])
    })
  },
)
