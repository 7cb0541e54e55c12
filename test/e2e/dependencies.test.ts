/** What waits for what, how it is told, and what ends a wait. */

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

/** Is ready once the file `go` exists; fails at once while the file `bad` does. Notes in `diary` what happens to it. */
function gated(rig: Rig, fields: object = {}): object {
  const script = rig.write(
    'gated.mjs',
    `import { appendFileSync, existsSync } from 'node:fs'
    const note = (what) => appendFileSync('diary', what + ' ' + process.env.ECO_APP + '\\n')
    if (existsSync('bad')) { console.error('bad'); process.exit(1) }
    note('up')
    process.on('SIGTERM', () => { note('down'); process.exit(0) })
    const timer = setInterval(() => { if (existsSync('go-' + process.env.ECO_APP)) { clearInterval(timer); process.send('ready') } }, 20)
    setInterval(() => {}, 1000)`,
  )
  return { script, ready: { signal: true, timeout: '20s' }, ...fields }
}

function diary(rig: Rig): string[] {
  const path = join(rig.dir, 'diary')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

test('an app that waits is listed as starting, with what blocks it, through a chain', async () => {
  await using rig = await createRig()
  const apps = {
    db: gated(rig),
    api: { ...sleeper, depends_on: { db: 'ready' } },
    worker: { ...sleeper, depends_on: ['api'] },
  }
  await rig.apply({ apps }, '--no-wait')
  await eventually(async () => {
    expect(await rig.app('db')).toMatchObject({ state: 'starting' })
    expect(await rig.app('api')).toMatchObject({ state: 'starting', ready: 0, wanted: 1, instances: [] })
  })
  const why = 'db#0 is starting (waiting for its ready signal)'
  expect((await rig.app('api')).reason).toBe(`waits for db being ready: ${why}`)
  expect((await rig.app('worker')).reason).toBe(`waits for api being ready, which waits for db being ready: ${why}`)
  expect((await rig.eco(['ls'])).stdout).toMatch(/demo\/default\/api 0\/1 starting/)
  rig.write('go-db', '')
  await eventually(async () => {
    for (const app of await rig.ls()) expect(app).toMatchObject({ state: 'running', ready: 1, reason: null })
  })
})

test('a dependency that fails ends the wait of all that depend on it, and says what blocks what', async () => {
  await using rig = await createRig()
  rig.write('bad', '')
  const apps = {
    db: gated(rig),
    api: { ...sleeper, depends_on: { db: 'ready' } },
    worker: { ...sleeper, depends_on: ['api'] },
  }
  const result = await rig.apply({ apps })
  expect(result.code).toBe(7)
  const why = 'db#0 exited with code 1, 3 times in a row before it was ready'
  expect(result.stderr).toContain(`start api: waits for db: ${why}`)
  expect(result.stderr).toContain(`start worker: waits for api, which waits for db: ${why}`)
})

test('a start waits for a dependency that is restarting, and goes on once it is ready again', async () => {
  await using rig = await createRig()
  rig.write('go-db', '')
  const apps = { db: gated(rig), api: { ...sleeper, depends_on: { db: 'ready' } } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await rig.eco(['stop', 'api'])
  rig.write('bad', '')
  const [db = 0] = await rig.pids('db')
  process.kill(db, 'SIGKILL')
  await eventually(async () => expect((await rig.app('db')).state).toBe('backoff'))
  const started = rig.eco(['start', 'api'])
  await eventually(async () => {
    expect((await rig.app('api')).reason).toMatch(/^waits for db being ready: db#0 is (backoff|starting|stopping)/)
  })
  rmSync(join(rig.dir, 'bad'))
  expect(await started).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'running' })
})

test('a dependency that has failed for good ends the wait at once', async () => {
  await using rig = await createRig()
  rig.write('go-db', '')
  const apps = { db: gated(rig, { restart: { max: 1 } }), api: { ...sleeper, depends_on: { db: 'ready' } } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await rig.eco(['stop', 'api'])
  rig.write('bad', '')
  const [db = 0] = await rig.pids('db')
  process.kill(db, 'SIGKILL')
  await eventually(async () => expect((await rig.app('db')).state).toBe('failed'))
  const before = Date.now()
  const result = await rig.eco(['start', 'api'])
  expect(Date.now() - before).toBeLessThan(1500)
  expect(result.code).toBe(7)
  expect(result.stderr).toContain(
    'start api failed: waits for db being ready: db#0 failed: exited with code 1: 1 restart within 60s of running',
  )
})

test('a stop cancels what an apply would do to the app, at once; the apply says so and goes on with the others', async () => {
  await using rig = await createRig()
  const apps = {
    db: gated(rig),
    api: { ...sleeper, depends_on: { db: 'ready' } },
    other: { ...sleeper, depends_on: { db: 'ready' } },
  }
  const applied = rig.apply({ apps })
  await eventually(async () => expect((await rig.app('api')).reason).toMatch(/^waits for db/))
  const before = Date.now()
  const stopped = await rig.eco(['stop', 'api'])
  expect(stopped).toMatchObject({ code: 0 })
  expect(stopped.stderr).toContain('api: what the apply under way still does to it is cancelled by eco stop')
  expect(Date.now() - before).toBeLessThan(3000)
  expect((await rig.ls()).map(({ app }) => app)).not.toContain('api')
  expect((await rig.eco(['restart', 'db'])).code).toBe(5)
  rig.write('go-db', '')
  const result = await applied
  expect(result.code).toBe(8)
  expect(result.stderr).toMatch(/skipped \d\/3 start api: cancelled by eco stop \(.+\)/)
  expect(await rig.app('other')).toMatchObject({ state: 'running' })
  // Nobody asked for its removal from the file: the next apply starts it.
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'running' })
})

test('a stop during the first apply of a file stops what it has started already, and nothing of it is left', async () => {
  await using rig = await createRig()
  const apps = { db: gated(rig), api: { ...sleeper, depends_on: ['db'] }, other: sleeper }
  expect(await rig.apply({ apps }, '--no-wait')).toMatchObject({ code: 0 })
  await eventually(async () => expect(await rig.app('other')).toMatchObject({ state: 'running' }))
  const pids = [...(await rig.pids('db')), ...(await rig.pids('other'))]
  expect(pids).toHaveLength(2)
  const stopped = await rig.eco(['stop', 'all'])
  expect(stopped).toMatchObject({ code: 0 })
  expect(stopped.stdout).not.toContain('Nothing to do')
  expect(stopped.stdout).toContain('Cancelled and stopped on demo/default: api, db, other.')
  for (const pid of pids) expect(isRunning(pid)).toBe(false)
  expect(await rig.ls()).toEqual([])
})

test('an apply does not end with 0 when an app that it had brought up was stopped before its end', async () => {
  await using rig = await createRig()
  const applied = rig.apply({ apps: { db: gated(rig), other: sleeper } })
  await eventually(async () => expect(await rig.app('other')).toMatchObject({ state: 'running' }))
  const [pid = 0] = await rig.pids('other')
  expect(await rig.eco(['stop', 'other'])).toMatchObject({ code: 0 })
  expect(isRunning(pid)).toBe(false)
  rig.write('go-db', '')
  const result = await applied
  expect(result.code).toBe(8)
  expect(result.stderr).toMatch(/other is not as this apply was to make it: cancelled by eco stop/)
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['db'])
})

test('an app that an apply removes while it is being stopped is gone, and both say so', async () => {
  await using rig = await createRig()
  const slow = { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.2; done'], stop: { timeout: '2s' } }
  expect(await rig.apply({ apps: { slow, other: sleeper } })).toMatchObject({ code: 0 })
  const applied = rig.apply({ apps: { other: sleeper } })
  await eventually(async () => expect((await rig.app('slow')).instances[0]).toMatchObject({ state: 'stopping' }))
  const stopped = await rig.eco(['stop', 'slow'])
  expect(stopped).toMatchObject({ code: 0 })
  expect(stopped.stdout).toContain('Nothing was left to do')
  expect(await applied).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['other'])
})

test('a stop during a start that hangs stops the instance, and is held', async () => {
  await using rig = await createRig()
  rig.write('go-db', '')
  const db = gated(rig, { env: { V: '1' } })
  expect(await rig.apply({ apps: { db } })).toMatchObject({ code: 0 })
  const [old = 0] = await rig.pids('db')
  rmSync(join(rig.dir, 'go-db'))
  const applied = rig.apply({ apps: { db: { ...db, env: { V: '2' } } } })
  await eventually(async () => expect(await rig.pids('db')).toHaveLength(2))
  const pids = await rig.pids('db')
  expect(pids).toContain(old)
  expect(await rig.eco(['stop', 'db'])).toMatchObject({ code: 0 })
  for (const pid of pids) expect(isRunning(pid)).toBe(false)
  const result = await applied
  expect(result.code).toBe(8)
  expect(result.stderr).toMatch(/skipped 1\/1 roll db: cancelled by eco stop/)
  expect(await rig.app('db')).toMatchObject({ state: 'stopped', hold: { verb: 'stop' } })
})

test('a delete beside an apply keeps the app away, and the apply does not bring it back', async () => {
  await using rig = await createRig()
  rig.write('go-db', '')
  const apps = { db: gated(rig), api: sleeper }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  rmSync(join(rig.dir, 'go-db'))
  const applied = rig.apply({ apps: { ...apps, db: gated(rig, { env: { V: '2' } }) } })
  await eventually(async () => expect(await rig.pids('db')).toHaveLength(2))
  expect(await rig.eco(['delete', 'api', '--yes'])).toMatchObject({ code: 0 })
  rig.write('go-db', '')
  expect(await applied).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['db'])
})

test('daemon stop --apps cancels what waits, and stops dependents before what they depend on', async () => {
  await using rig = await createRig()
  rig.write('go-a', '')
  rig.write('go-b', '')
  rig.write('go-c', '')
  const apps = {
    a: gated(rig),
    b: gated(rig, { depends_on: { a: 'ready' } }),
    c: gated(rig, { depends_on: { b: 'ready' } }),
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const waiting = rig.apply({ apps: { ...apps, d: gated(rig), e: { ...sleeper, depends_on: { d: 'ready' } } } })
  await eventually(async () => expect((await rig.app('e')).reason).toMatch(/^waits for d/))
  expect(await rig.eco(['daemon', 'stop', '--apps'])).toMatchObject({ code: 0 })
  await waiting
  expect(diary(rig).filter((line) => /^down [abc]/.test(line))).toEqual(['down c', 'down b', 'down a'])
  // The next daemon keeps the order too.
  rmSync(join(rig.dir, 'diary'))
  expect(await rig.eco(['daemon', 'start'])).toMatchObject({ code: 0 })
  await eventually(async () => {
    for (const app of ['a', 'b', 'c']) expect(await rig.app(app)).toMatchObject({ state: 'running' })
  })
  expect(diary(rig)).toEqual(['up a', 'up b', 'up c'])
})

test('the wait is over when a job has completed, and its failure is told', async () => {
  await using rig = await createRig()
  const apps = {
    migrate: { kind: 'job', script: fixture('crash-at-start.mjs') },
    api: { ...sleeper, depends_on: { migrate: 'completed' } },
  }
  const result = await rig.apply({ apps })
  expect(result.code).toBe(7)
  expect(result.stderr).toContain('start api: waits for migrate: migrate exited with code 3')
})

/** Three apps in a chain, each of which restarts with the one before it; a fourth that does not. */
function chain(rig: Rig): Record<string, object> {
  for (const app of ['a', 'b', 'c', 'd']) rig.write(`go-${app}`, '')
  return {
    a: gated(rig),
    b: gated(rig, { depends_on: { a: { condition: 'ready', restart: true } } }),
    c: gated(rig, { depends_on: { b: { condition: 'ready', restart: true } }, rollout: { exclusive: true } }),
    d: gated(rig, { depends_on: { a: 'ready' } }),
  }
}

test('what restarts with a dependency does so after it, in the plan of a restart by hand; others are left alone', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: chain(rig) })).toMatchObject({ code: 0 })
  const [before, left] = [await Promise.all(['a', 'b', 'c'].map((app) => rig.pids(app))), await rig.pids('d')]
  rmSync(join(rig.dir, 'diary'))
  const result = await rig.eco(['restart', 'a'])
  expect(result).toMatchObject({ code: 0 })
  expect(result.stdout).toContain('restarts with a')
  expect(result.stdout).toContain('restarts with b')
  expect(await Promise.all(['a', 'b', 'c'].map((app) => rig.pids(app)))).not.toEqual(before)
  expect(await rig.pids('d')).toEqual(left)
  expect(diary(rig)).toEqual(['down a', 'up a', 'up b', 'down b', 'down c', 'up c'])
  // Nothing comes after it.
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(diary(rig)).toHaveLength(6)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('when a dependency crashes, what restarts with it does so once it is ready again, along the chain', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: chain(rig) })).toMatchObject({ code: 0 })
  const [a = 0, b = 0, c = 0, d] = (await Promise.all(['a', 'b', 'c', 'd'].map((app) => rig.pids(app)))).flat()
  rmSync(join(rig.dir, 'diary'))
  rmSync(join(rig.dir, 'go-a'))
  process.kill(a, 'SIGKILL')
  await eventually(() => expect(diary(rig)).toContain('up a'))
  // Not before it is ready.
  expect(await rig.pids('b')).toEqual([b])
  rig.write('go-a', '')
  await eventually(async () => {
    expect(isRunning(b)).toBe(false)
    expect(isRunning(c)).toBe(false)
    for (const app of await rig.ls()) expect(app).toMatchObject({ state: 'running', ready: 1 })
  })
  expect(diary(rig)).toEqual(['up a', 'up b', 'down b', 'down c', 'up c'])
  expect(await rig.pids('d')).toEqual([d])
  expect((await rig.eco(['events'])).stdout).toContain('reload: restarts with a')
})

test('a dependency with several instances that all crash restarts its dependents once', async () => {
  await using rig = await createRig()
  const apps = chain(rig)
  const a = gated(rig, { instances: 3 })
  expect(await rig.apply({ apps: { a, b: apps['b'] } })).toMatchObject({ code: 0 })
  rmSync(join(rig.dir, 'diary'))
  for (const pid of await rig.pids('a')) process.kill(pid, 'SIGKILL')
  await eventually(() => expect(diary(rig)).toContain('down b'))
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(diary(rig).filter((line) => line === 'up b')).toHaveLength(1)
})

test('an app that a failed dependency kept from starting starts once that is mended', async () => {
  await using rig = await createRig()
  rig.write('go-db', '')
  const apps = { db: gated(rig, { restart: { max: 1 } }), api: { ...sleeper, depends_on: { db: 'ready' } } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await rig.eco(['stop', 'api'])
  rig.write('bad', '')
  const [db = 0] = await rig.pids('db')
  process.kill(db, 'SIGKILL')
  await eventually(async () => expect((await rig.app('db')).state).toBe('failed'))
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 7 })
  expect(await rig.app('api')).toMatchObject({
    state: 'starting',
    reason: 'waits for db being ready: db#0 failed: exited with code 1: 1 restart within 60s of running',
  })
  rmSync(join(rig.dir, 'bad'))
  expect(await rig.eco(['restart', 'db'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', reason: null }))
})

test('restarted together by hand, a dependent stops first and starts last', async () => {
  await using rig = await createRig()
  for (const app of ['a', 'b']) rig.write(`go-${app}`, '')
  const apps = { a: gated(rig), b: gated(rig, { depends_on: { a: 'ready' } }) }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  rmSync(join(rig.dir, 'diary'))
  expect(await rig.eco(['restart', 'a', 'b'])).toMatchObject({ code: 0 })
  expect(diary(rig)).toEqual(['down b', 'down a', 'up a', 'up b'])
})
