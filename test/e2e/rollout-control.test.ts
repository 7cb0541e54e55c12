/** What a rollout waits for, how it fails, and what an operator can do about it. Workers without ports roll like servers. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

interface Options {
  readonly version: number
  readonly instances?: number
  readonly rollout?: object
  readonly script?: string
  readonly ready?: object
}

/**
 * A worker is ready once its script runs, and the file `open-VERSION` is there, which is the test's to write. Each version
 * has a script of its own: one that is still being read must not turn into the next.
 */
function workers(
  rig: Rig,
  { version, instances = 2, rollout = {}, ready, script = 'setInterval(() => {}, 1000)' }: Options,
) {
  const file = `worker-${version}.mjs`
  // Only once the script has run are its handlers of signals there.
  rig.write(file, `import * as fs from 'node:fs'\n${script}\nfs.writeFileSync('loaded-' + process.pid, '')`)
  const check = `test -f open-${version} && test -f loaded-$ECO_PID`
  return {
    apps: {
      worker: {
        script: file,
        instances,
        env: { VERSION: String(version) },
        ready: { exec: ['sh', '-c', check], interval: '50ms', timeout: '20s', ...ready },
        rollout: { soak: '100ms', ...rollout },
      },
    },
  }
}

function open(rig: Rig, version: number): void {
  writeFileSync(join(rig.dir, `open-${version}`), '')
}

/** `1,1,2*`: the version of each instance that was not told to stop, with a star when it is ready. */
async function shown(rig: Rig): Promise<string> {
  const { instances } = await rig.app('worker')
  const up = instances.filter(({ state }) => state !== 'draining' && state !== 'stopping')
  return up.map(({ version, ready }) => `${version}${ready ? '*' : ''}`).join(',')
}

async function status(rig: Rig): Promise<any> {
  return (await rig.eco(['rollout', 'status', '--json'])).json().rollouts[0]
}

async function applied(rig: Rig, options: Options = { version: 1 }): Promise<number[]> {
  open(rig, options.version)
  expect(await rig.apply(workers(rig, options))).toMatchObject({ code: 0 })
  return rig.pids('worker')
}

test('the canary starts alone, and nothing old stops before it has proved itself', async () => {
  await using rig = await createRig()
  const before = await applied(rig, { version: 1, instances: 3 })
  const rolling = rig.apply(workers(rig, { version: 2, instances: 3, rollout: { max_surge: '100%' } }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*,1*'))
  expect(await status(rig)).toMatchObject({ app: 'worker', state: 'progressing', updated: 0, wanted: 3 })
  expect((await rig.app('worker')).rollout).toMatchObject({ from_version: 1, to_version: 2, updated: 0 })
  expect((await rig.app('worker')).reason).toBe('rollout to v2: 0 of 3')
  open(rig, 2)
  expect(await rolling).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*,2*')
  expect(await rig.pids('worker')).not.toContain(before[0])
  expect((await rig.eco(['rollout', 'status'])).stdout).toBe('No rollout is under way.\n')
})

test('a build that dies while it soaks is rolled back, and says after how long', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const script = 'setTimeout(() => { throw new Error("out of luck") }, 600)'
  const result = await rig.apply(
    workers(rig, { version: 2, rollout: { soak: '20s' }, ready: { exec: ['true'] }, script }),
  )
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toMatch(/worker#0 exited with code 1 \d\.\ds after it was ready/)
  expect(result.stderr).toContain('out of luck')
  expect(await rig.pids('worker')).toEqual(before)
})

test('a build that is ready once and never again is rolled back at the end of its soak', async () => {
  await using rig = await createRig()
  await applied(rig)
  open(rig, 2)
  const rolling = rig.apply(workers(rig, { version: 2, rollout: { soak: '1s' } }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2*,1*'))
  rmSync(join(rig.dir, 'open-2'))
  const result = await rolling
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('worker#0 is not ready any more')
  expect(await shown(rig)).toBe('1*,1*')
})

test('the check of the operator judges the first new instance, and only that', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  open(rig, 2)
  const judged = (verdict: string): object =>
    workers(rig, { version: 2, rollout: { check: `echo "$ECO_INSTANCE $VERSION" >> judged; ${verdict}` } })
  const refused = await rig.apply(judged('echo too slow; exit 3'))
  expect(refused).toMatchObject({ code: 6 })
  expect(refused.stderr).toMatch(/worker#0 failed its rollout check, which exited with code 3\s+too slow/)
  expect(await rig.pids('worker')).toEqual(before)
  expect(await rig.apply(judged('true'))).toMatchObject({ code: 0 })
  expect(readFileSync(join(rig.dir, 'judged'), 'utf8')).toBe('0 2\n0 2\n')
})

test.each([
  ['more', 2, 4],
  ['fewer', 4, 1],
])('a change that wants %s instances too rolls and scales at once', async (_, from, to) => {
  await using rig = await createRig()
  const before = await applied(rig, { version: 1, instances: from })
  open(rig, 2)
  expect(await rig.apply(workers(rig, { version: 2, instances: to }))).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe(Array.from({ length: to }, () => '2*').join(','))
  expect((await rig.pids('worker')).filter((pid) => before.includes(pid))).toEqual([])
})

test('a rollout that makes no progress within its deadline is rolled back', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const result = await rig.apply(workers(rig, { version: 2, rollout: { deadline: '700ms' } }))
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toMatch(/no further instance became available within 0.7s: worker#0/)
  expect(await rig.pids('worker')).toEqual(before)
})

test('one that fails half-way brings back what it had replaced', async () => {
  await using rig = await createRig()
  await applied(rig)
  open(rig, 2)
  const script = `if (process.env.ECO_INSTANCE === '1') throw new Error('no room'); setInterval(() => {}, 1000)`
  const result = await rig.apply(workers(rig, { version: 2, script }))
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('no room')
  expect(await shown(rig)).toBe('1*,1*')
  expect(await rig.apply(workers(rig, { version: 1 }))).toMatchObject({ code: 0 })
})

test('on_failure: keep leaves both versions as they are (8), and the next apply goes on from there', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const rollout = { on_failure: 'keep', deadline: '700ms' }
  const result = await rig.apply(workers(rig, { version: 2, rollout }))
  expect(result).toMatchObject({ code: 8 })
  expect(result.stderr).toMatch(/roll worker failed, and all stays as it is: no further instance/)
  expect(await shown(rig)).toBe('1*,2,1*')
  expect(await rig.pids('worker')).toEqual(expect.arrayContaining(before))
  open(rig, 2)
  expect(await rig.apply(workers(rig, { version: 2, rollout }))).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*')
})

test('on_failure: keep does not heap up what failed, however often it is tried', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const rollout = { on_failure: 'keep', deadline: '700ms' }
  for (const version of [2, 3, 4])
    expect(await rig.apply(workers(rig, { version, rollout }))).toMatchObject({ code: 8 })
  expect(await shown(rig)).toBe('1*,4,1*')
  expect(await rig.pids('worker')).toEqual(expect.arrayContaining(before))
})

test('on_failure: pause waits for an operator (8): resume tries again', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const result = await rig.apply(workers(rig, { version: 2, rollout: { on_failure: 'pause', deadline: '700ms' } }))
  expect(result).toMatchObject({ code: 8 })
  expect(result.stderr).toContain('eco rollout resume worker')
  expect(await status(rig)).toMatchObject({ state: 'paused', reason: expect.stringContaining('no further instance') })
  expect((await rig.eco(['rollout', 'status'])).stdout).toContain('next: eco rollout resume worker')
  expect((await rig.app('worker')).reason).toMatch(/^rollout to v2 paused at 0 of 2: no further instance/)
  expect(await rig.pids('worker')).toEqual(expect.arrayContaining(before))
  // A verb would mix with it.
  const scaled = await rig.eco(['scale', 'worker', '4'])
  expect(scaled).toMatchObject({ code: 5 })
  expect(scaled.stderr).toContain('eco rollout abort')
  open(rig, 2)
  expect(await rig.eco(['rollout', 'resume', 'worker'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await shown(rig)).toBe('2*,2*'))
  await eventually(async () => expect(await status(rig)).toBeUndefined())
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('on_failure: pause waits for an operator (8): abort goes back', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  await rig.apply(workers(rig, { version: 2, rollout: { on_failure: 'pause', deadline: '700ms' } }))
  const aborted = await rig.eco(['rollout', 'abort', 'worker'])
  expect(aborted).toMatchObject({ code: 0 })
  expect(aborted.stdout).toContain('went back: v1 serves')
  expect(await rig.pids('worker')).toEqual(before)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
})

test('a rollout is paused and resumed by hand', async () => {
  await using rig = await createRig()
  await applied(rig, { version: 1, instances: 3 })
  const rolling = rig.apply(workers(rig, { version: 2, instances: 3 }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*,1*'))
  expect(await rig.eco(['rollout', 'pause', 'worker'])).toMatchObject({ code: 0 })
  open(rig, 2)
  // What is on its way goes on; nothing else begins, and nothing stops.
  await eventually(async () => expect(await status(rig)).toMatchObject({ state: 'paused', updated: 1 }))
  expect(await shown(rig)).toBe('1*,2*,1*,1*')
  expect(await rig.eco(['rollout', 'resume', 'all'])).toMatchObject({ code: 0 })
  expect(await rolling).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*,2*')
})

test('a rollout is aborted by hand: whoever waits for it is told, with 6', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const rolling = rig.apply(workers(rig, { version: 2 }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*'))
  expect(await rig.eco(['rollout', 'abort', 'worker'])).toMatchObject({ code: 0 })
  const result = await rolling
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toMatch(/aborted by \w+/)
  expect(await rig.pids('worker')).toEqual(before)
})

test('an upgrade that waits for a paused rollout says who has to do what', async () => {
  await using rig = await createRig()
  await applied(rig)
  await rig.apply(workers(rig, { version: 2, rollout: { on_failure: 'pause', deadline: '700ms' } }))
  const upgraded = rig.eco(['daemon', 'upgrade'])
  await eventually(() => readFileSync(join(rig.home, 'daemon.log'), 'utf8').includes('waits with that for'))
  await rig.eco(['rollout', 'abort', 'worker'])
  expect((await upgraded).stderr).toMatch(/waiting for .*apply by .*, paused at worker \(eco rollout resume worker/)
})

test('without a daemon one is started, and says that there is no rollout', async () => {
  await using rig = await createRig()
  await applied(rig)
  kill(await rig.daemonPid())
  const result = await rig.eco(['rollout', 'status'])
  expect(result).toMatchObject({ code: 0, stdout: 'No rollout is under way.\n' })
})

test('there is nothing to pause, resume or abort without a rollout (5)', async () => {
  await using rig = await createRig()
  await applied(rig)
  for (const action of ['pause', 'resume', 'abort']) {
    const result = await rig.eco(['rollout', action, 'worker'])
    expect(result).toMatchObject({ code: 5 })
    expect(result.stderr).toContain(`There is no rollout to ${action}`)
  }
  expect(await rig.eco(['rollout', 'pause', 'nobody'])).toMatchObject({ code: 5 })
  expect(await rig.eco(['rollout', 'undo'])).toMatchObject({ code: 4 })
})

test('a newer apply takes over a rollout that hangs, and goes on from where it was', async () => {
  await using rig = await createRig()
  const before = await applied(rig, { version: 1, instances: 3 })
  open(rig, 2)
  // Two of three get ready in version 2.
  const script = `import { existsSync } from 'node:fs'
    if (process.env.VERSION === '2' && process.env.ECO_INSTANCE === '2') while (!existsSync('never')) await new Promise((r) => setTimeout(r, 100))
    setInterval(() => {}, 1000)`
  const half = {
    version: 2,
    instances: 3,
    script,
    ready: { exec: ['sh', '-c', 'test -f open-$VERSION && { test $VERSION != 2 || test $ECO_INSTANCE != 2; }'] },
  }
  const first = rig.apply(workers(rig, half))
  await eventually(async () => expect(await shown(rig)).toBe('2*,2*,1*,2'))
  open(rig, 3)
  const second = await rig.apply(workers(rig, { version: 3, instances: 3 }))
  expect(second).toMatchObject({ code: 0 })
  expect(second.stderr).toContain('taken over by a newer apply')
  const overtaken = await first
  expect(overtaken).toMatchObject({ code: 8 })
  expect(overtaken.stderr).toContain('taken over by a newer apply')
  const { instances } = await rig.app('worker')
  expect(instances.map(({ version, ready }) => `${version}${ready}`)).toEqual(['3true', '3true', '3true'])
  expect(await rig.pids('worker')).not.toContain(before[2])
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('a newer apply of the old file goes back, also from a rollout that pauses', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  await rig.apply(workers(rig, { version: 2, rollout: { on_failure: 'pause', deadline: '700ms' } }))
  expect(await rig.apply(workers(rig, { version: 1 }))).toMatchObject({ code: 0 })
  expect(await rig.pids('worker')).toEqual(before)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('eco stop ends a rollout, and nothing of either version is left', async () => {
  await using rig = await createRig()
  await applied(rig)
  const rolling = rig.apply(workers(rig, { version: 2 }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*'))
  expect(await rig.eco(['stop', 'worker'])).toMatchObject({ code: 0 })
  expect(await rolling).toMatchObject({ code: 8 })
  expect(await rig.pids('worker')).toEqual([])
})

test('an instance that crashes during a rollout of the others comes back, and the rollout ends well', async () => {
  await using rig = await createRig()
  await applied(rig, { version: 1, instances: 3 })
  const rolling = rig.apply(workers(rig, { version: 2, instances: 3 }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*,1*'))
  const victim = (await rig.app('worker')).instances.find(({ slot, version }) => slot === 2 && version === 1)
  kill(victim?.pid ?? 0)
  open(rig, 2)
  expect(await rolling).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*,2*')
})

test('a daemon that is killed during a rollout leaves the old version, and the next apply rolls again', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  const rolling = rig.apply(workers(rig, { version: 2 })).catch(() => null)
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*'))
  kill(await rig.daemonPid())
  await rolling
  await eventually(async () => expect(await rig.pids('worker')).toEqual(before))
  expect(await shown(rig)).toBe('1*,1*')
  open(rig, 2)
  expect(await rig.apply(workers(rig, { version: 2 }))).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*')
})

/** Ready by a file of each instance. */
const EACH = { exec: ['sh', '-c', 'test -f open-$VERSION-$ECO_INSTANCE && test -f loaded-$ECO_PID'] }

function openEach(rig: Rig, version: number, ...slots: number[]): void {
  for (const slot of slots) writeFileSync(join(rig.dir, `open-${version}-${slot}`), '')
}

test('going back does not wait for an instance that was broken before', async () => {
  await using rig = await createRig()
  openEach(rig, 1, 0, 1)
  expect(await rig.apply(workers(rig, { version: 1, ready: EACH }))).toMatchObject({ code: 0 })
  for (const slot of [0, 1]) rmSync(join(rig.dir, `open-1-${slot}`))
  for (const pid of await rig.pids('worker')) kill(pid)
  await eventually(async () => expect(await shown(rig)).toBe('1,1'))
  openEach(rig, 2, 0)
  const rolling = rig.apply(workers(rig, { version: 2, ready: EACH }))
  await eventually(async () => expect(await shown(rig)).toBe('2*,1,2'))
  openEach(rig, 1, 0)
  expect(await rig.eco(['rollout', 'abort', 'worker'])).toMatchObject({ code: 0 })
  expect(await rolling).toMatchObject({ code: 6 })
  expect(await shown(rig)).toBe('1*,1')
})

test.each([
  ['fewer', 4, 2, '1*,2,2*'],
  ['more', 2, 4, '1*,2,2*,2*,2*'],
])(
  'one that fails after it took over another one that wanted %s instances brings back as many as were applied',
  async (_, from, to, half) => {
    await using rig = await createRig()
    await applied(rig, { version: 1, instances: from })
    openEach(rig, 2, ...(to < from ? [0] : [0, 2, 3]))
    const taken = rig.apply(workers(rig, { version: 2, instances: to, ready: EACH }))
    await eventually(async () => expect((await shown(rig)).split(',').toSorted().join()).toBe(half))
    const result = await rig.apply(workers(rig, { version: 3, instances: to, rollout: { deadline: '700ms' } }))
    expect(result).toMatchObject({ code: 6 })
    expect(await taken).toMatchObject({ code: 8 })
    expect(await shown(rig)).toBe(Array.from({ length: from }, () => '1*').join())
  },
)

test('resume gives a new instance that had crashed another chance', async () => {
  await using rig = await createRig()
  await applied(rig)
  openEach(rig, 2, 0)
  const result = rig.apply(workers(rig, { version: 2, ready: EACH, rollout: { on_failure: 'pause' } }))
  await eventually(async () => expect(await status(rig)).toMatchObject({ updated: 1 }))
  const victim = (await rig.app('worker')).instances.find(({ slot, version }) => slot === 0 && version === 2)
  kill(victim?.pid ?? 0)
  expect(await result).toMatchObject({ code: 8 })
  openEach(rig, 2, 1)
  expect(await rig.eco(['rollout', 'resume', 'worker'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await status(rig)).toBeUndefined())
  expect(await shown(rig)).toBe('2*,2*')
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('of several applies that take over a rollout at once the newest goes on', async () => {
  await using rig = await createRig()
  const script = "if (process.env.VERSION === '2') process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"
  const slow = (version: number): object => {
    const { worker } = workers(rig, { version, script }).apps
    return { apps: { worker: { ...worker, stop: { timeout: '2s' } } } }
  }
  open(rig, 1)
  expect(await rig.apply(slow(1))).toMatchObject({ code: 0 })
  const first = rig.apply(slow(2))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*'))
  open(rig, 3)
  open(rig, 4)
  const takenOver = async (times: number): Promise<void> => {
    const { stdout } = await rig.eco(['events', '--json'])
    expect(stdout.split('"rollout_taken_over"')).toHaveLength(times + 1)
  }
  // The successor that is taken back ignores its signal: both wait for its end.
  const second = rig.apply(slow(3))
  await eventually(() => takenOver(1))
  const third = rig.apply(slow(4))
  await eventually(() => takenOver(2))
  const refused = await second
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain('a newer apply came before this one could begin')
  expect(await third).toMatchObject({ code: 0 })
  expect(await first).toMatchObject({ code: 8, stdout: expect.stringContaining('Cut short') })
  const { instances } = await rig.app('worker')
  expect(instances.map(({ ready }) => ready)).toEqual([true, true])
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('an apply of some apps does not take over the rollout of others (5)', async () => {
  await using rig = await createRig()
  await applied(rig)
  const two = (version: number): object => {
    const { worker } = workers(rig, { version }).apps
    return { apps: { worker, other: worker } }
  }
  expect(await rig.apply(two(1))).toMatchObject({ code: 0 })
  const rolling = rig.apply(two(2))
  await eventually(async () => expect((await rig.eco(['rollout', 'status', '--json'])).json().rollouts).toHaveLength(2))
  const result = await rig.apply(two(2), '--only', 'worker')
  expect(result).toMatchObject({ code: 5 })
  expect(result.stderr).toContain('It changes other too, which --only would leave half-way')
  open(rig, 2)
  expect(await rolling).toMatchObject({ code: 0 })
})

test('who aborts a rollout that is over already, or that something else ends, is told so and gets no 0', async () => {
  await using rig = await createRig()
  const script = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"
  const slow = (version: number): object => {
    const { worker } = workers(rig, { version, instances: 1, script }).apps
    return { apps: { worker: { ...worker, stop: { timeout: '3s' } } } }
  }
  open(rig, 1)
  expect(await rig.apply(slow(1))).toMatchObject({ code: 0 })
  // The new one is there, and the old one takes its time.
  open(rig, 2)
  const rolling = rig.apply(slow(2))
  await eventually(async () => expect(await shown(rig)).toBe('2*'))
  const latePause = await rig.eco(['rollout', 'pause', 'worker'])
  expect(latePause).toMatchObject({ code: 5 })
  expect(latePause.stderr).toContain('waits for its last old instances to end')
  const late = await rig.eco(['rollout', 'abort', 'worker'])
  expect(late).toMatchObject({ code: 5 })
  expect(late.stdout).toContain('was over before it could be aborted: v2 serves')
  expect(await rolling).toMatchObject({ code: 0 })
  // It goes back for as long as the new one takes to end.
  const third = rig.apply(slow(3))
  await eventually(async () => {
    expect(await shown(rig)).toBe('2*,3')
    const [, pid] = await rig.pids('worker')
    expect(existsSync(join(rig.dir, `loaded-${pid}`))).toBe(true)
  })
  const aborted = rig.eco(['rollout', 'abort', 'worker'])
  await eventually(async () => expect(await status(rig)).toMatchObject({ state: 'rolling-back' }))
  const paused = await rig.eco(['rollout', 'pause', 'worker'])
  expect(paused).toMatchObject({ code: 5 })
  expect(paused.stderr).toContain('is going back already')
  expect(await rig.apply(slow(2))).toMatchObject({ code: 0 })
  expect(await aborted).toMatchObject({ code: 8, stdout: expect.stringContaining('did not go back: taken over by') })
  expect(await third).toMatchObject({ code: 8 })
})

test('the check of an instance that is taken back ends with it', async () => {
  await using rig = await createRig()
  await applied(rig)
  open(rig, 2)
  const check = 'echo $$$$ > check.pid; exec sleep 300'
  const rolling = rig.apply(workers(rig, { version: 2, rollout: { check } }))
  const pid = await eventually(() => {
    const written = Number(readFileSync(join(rig.dir, 'check.pid'), 'utf8'))
    return written > 0 && written
  })
  expect(await rig.eco(['rollout', 'abort', 'worker'])).toMatchObject({ code: 0 })
  expect(await rolling).toMatchObject({ code: 6 })
  await eventually(() => expect(isRunning(Number(pid))).toBe(false))
})

test('a plan that was saved before a rollout began is refused while that goes on, and does no harm', async () => {
  await using rig = await createRig()
  await applied(rig)
  rig.write('ecosystem.yaml', workers(rig, { version: 3 }))
  expect(await rig.eco(['diff', '--out', 'saved.json'])).toMatchObject({ code: 0 })
  const rolling = rig.apply(workers(rig, { version: 2 }))
  await eventually(async () => expect(await shown(rig)).toBe('1*,2,1*'))
  const refused = await rig.eco(['apply', '--plan', 'saved.json', '--yes'])
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain('is stale')
  expect(await status(rig)).toMatchObject({ state: 'progressing' })
  open(rig, 2)
  expect(await rolling).toMatchObject({ code: 0 })
})

test('a plan that was saved is still good when an instance crashes meanwhile and comes back', async () => {
  await using rig = await createRig()
  const [victim = 0] = await applied(rig)
  open(rig, 2)
  rig.write('ecosystem.yaml', workers(rig, { version: 2 }))
  expect(await rig.eco(['diff', '--out', 'saved.json'])).toMatchObject({ code: 0 })
  kill(victim)
  expect(await rig.eco(['apply', '--plan', 'saved.json', '--yes'])).toMatchObject({ code: 0 })
  expect(await shown(rig)).toBe('2*,2*')
})

test('a post_start hook that fails takes the rollout back, with what it said', async () => {
  await using rig = await createRig()
  const before = await applied(rig)
  open(rig, 2)
  const { apps } = workers(rig, { version: 2 })
  const hooks = { post_start: 'echo no cache here; exit 4' }
  const result = await rig.apply({ apps: { worker: { ...apps.worker, hooks } } })
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('no cache here')
  expect(await rig.pids('worker')).toEqual(before)
})

test('of two apps that roll, the one that fails goes back and the other one stays', async () => {
  await using rig = await createRig()
  const two = (version: number, script?: string): object => {
    const { worker } = workers(rig, { version, ...(script === undefined ? {} : { script }) }).apps
    const { script: _, ...other } = worker
    return { apps: { worker, other: { ...other, command: ['sleep', '1000'], ready: { exec: ['true'] } } } }
  }
  open(rig, 1)
  open(rig, 2)
  expect(await rig.apply(two(1))).toMatchObject({ code: 0 })
  const result = await rig.apply(two(2, 'throw new Error("not today")'))
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('not today')
  expect((await rig.app('other')).version).toBe(2)
  expect((await rig.app('worker')).version).toBe(1)
})

test('an apply that goes back leaves the scale that it was to end as it was', async () => {
  await using rig = await createRig()
  await applied(rig)
  expect(await rig.eco(['scale', 'worker', '3'])).toMatchObject({ code: 0 })
  const before = await rig.pids('worker')
  const result = await rig.apply(workers(rig, { version: 2, rollout: { deadline: '700ms' } }))
  expect(result).toMatchObject({ code: 6 })
  expect(await rig.pids('worker')).toEqual(before)
  expect((await rig.app('worker')).hold).toMatchObject({ verb: 'scale', instances: 3 })
  kill(await rig.daemonPid())
  expect(await rig.pids('worker')).toEqual(before)
})

test('a rollout that goes back to a version that did not serve either needs a person (7)', async () => {
  await using rig = await createRig()
  const script = `import { existsSync } from 'node:fs'
    if (!existsSync('open-1')) throw new Error('no disk'); setInterval(() => {}, 1000)`
  await applied(rig, { version: 1, script })
  rmSync(join(rig.dir, 'open-1'))
  for (const pid of await rig.pids('worker')) kill(pid)
  await eventually(async () => expect(await rig.app('worker')).toMatchObject({ ready: 0 }))
  const result = await rig.apply(workers(rig, { version: 2, script }))
  expect(result).toMatchObject({ code: 7 })
  expect(result.stdout).toContain('a person is needed')
})
