/** State of an older eco is brought up to date and changes nothing; state of a newer one is refused, and left as it is. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildEco } from '../support/other-eco.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

let builds: string
/** Writes specs of a format that this version does not know. */
let newer: string
beforeAll(async () => {
  builds = mkdtempSync(join(tmpdir(), 'eco-builds-'))
  const change = { file: 'model/applied.ts', from: 'SPEC_FORMAT = 2', to: 'SPEC_FORMAT = 3' }
  newer = await buildEco(builds, { version: '7.1.0', changes: [change] })
})
afterAll(() => rmSync(builds, { recursive: true, force: true }))

/** Every file of a scope, with its content, mode and time. */
function contents(rig: Rig, scope: string): Record<string, string> {
  const dir = join(rig.home, 'scopes', scope)
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(dir, name)).isFile(),
  )
  return Object.fromEntries(
    files.sort().map((name) => {
      const { mode, mtimeMs } = statSync(join(dir, name))
      return [name, `${mode} ${mtimeMs} ${readFileSync(join(dir, name), 'utf8')}`]
    }),
  )
}

function change(path: string, fields: object): void {
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...fields }))
}

async function stopDaemon(rig: Rig): Promise<void> {
  const pid = await rig.daemonPid()
  kill(pid)
  await eventually(() => !isRunning(pid))
}

describe('state of a newer eco', () => {
  test('is refused with the name of the file and the remedy, and left alone with its processes', async () => {
    await using rig = await createRig()
    rig.write('ecosystem.yaml', { apps: { app: { ...sleeper, instances: 2 } }, environments: { ours: {}, theirs: {} } })
    expect(await rig.eco(['apply', '--yes', '--env', 'theirs'], { bin: newer })).toMatchObject({ code: 0 })
    const pids = (await rig.eco(['ls', '--json'], { bin: newer })).json().apps[0].instances.map(({ pid }: any) => pid)
    await stopDaemon(rig)
    const before = contents(rig, 'demo/theirs')

    const commands = [['diff'], ['apply', '--yes'], ['rollback', '--yes', '1'], ['apply', '--yes', '--take-over']]
    for (const args of commands) {
      const refused = await rig.eco([...args, '--env', 'theirs'])
      expect(refused.code, args.join(' ')).toBe(5)
      expect(refused.stderr, args.join(' ')).toMatch(
        /theirs\/revisions\/000001\.json has format 3, which a newer eco wrote; this one knows it up to 2\.[^]*hint: upgrade eco .*eco daemon upgrade/,
      )
    }
    const listed = await rig.eco(['ls'])
    expect(`${listed.stdout}${listed.stderr}`).toContain('which a newer eco wrote')
    await rig.eco(['stop', 'all'])
    await rig.eco(['delete', 'all', '--yes'])
    // Other scopes go on.
    expect(await rig.eco(['apply', '--yes', '--env', 'ours'])).toMatchObject({ code: 0 })
    await rig.eco(['daemon', 'stop', '--apps'])
    await rig.eco(['daemon', 'start'])
    expect(contents(rig, 'demo/theirs')).toEqual(before)
    expect(pids.every(isRunning)).toBe(true)

    // The remedy works.
    const upgraded = await rig.eco(['daemon', 'upgrade'], { bin: newer })
    expect(upgraded).toMatchObject({ code: 0 })
    const after = (await rig.eco(['ls', '--json', '--env', 'theirs'], { bin: newer })).json()
    expect(after.apps[0].instances.map(({ pid }: any) => pid)).toEqual(pids)
  })

  test('keeps a daemon from handing over to an older one', async () => {
    await using rig = await createRig()
    rig.write('ecosystem.yaml', { apps: { app: sleeper } })
    expect(await rig.eco(['apply', '--yes'], { bin: newer })).toMatchObject({ code: 0 })
    const daemon = await rig.daemonPid()
    const before = contents(rig, 'demo/default')
    const refused = await rig.eco(['daemon', 'upgrade'])
    expect(refused).toMatchObject({ code: 5 })
    expect(refused.stderr).toMatch(/has format 3, which a newer eco wrote/)
    expect(contents(rig, 'demo/default')).toEqual(before)
    expect((await rig.eco(['daemon', 'status', '--json'])).json()).toMatchObject({ pid: daemon, version: '7.1.0' })
    expect(await rig.eco(['scale', 'app', '2'], { bin: newer })).toMatchObject({ code: 0 })
  })

  const files: readonly { readonly what: string; readonly path: (dir: string) => string; readonly fields: object }[] = [
    {
      what: 'a runtime record',
      path: (dir) =>
        join(dir, 'runtime', readdirSync(join(dir, 'runtime')).find((name) => name.startsWith('app.')) ?? ''),
      fields: { format: 2 },
    },
    {
      what: 'the spec in a runtime record',
      path: (dir) =>
        join(dir, 'runtime', readdirSync(join(dir, 'runtime')).find((name) => name.startsWith('app.')) ?? ''),
      fields: { spec_format: 3 },
    },
    { what: 'a history of runs', path: (dir) => join(dir, 'runs/job.json'), fields: { format: 2 } },
    { what: 'the holds', path: (dir) => join(dir, 'holds.json'), fields: { format: 2 } },
  ]
  for (const { what, path, fields } of files) {
    test(`${what}: nothing of the scope is touched by a daemon that starts`, async () => {
      await using rig = await createRig()
      const apps = { app: sleeper, held: sleeper, job: { kind: 'job', command: ['true'] } }
      expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
      await rig.eco(['stop', 'held'])
      const pids = await rig.pids('app')
      await rig.eco(['daemon', 'stop'])
      const file = path(join(rig.home, 'scopes/demo/default'))
      const intact = readFileSync(file)
      change(file, fields)
      const before = contents(rig, 'demo/default')
      const refused = await rig.eco(['apply', '--yes'])
      expect(refused).toMatchObject({ code: 5 })
      expect(refused.stderr).toContain(file)
      expect(refused.stderr).toMatch(/which a newer eco wrote[^]*hint: upgrade eco/)
      await rig.eco(['start', 'all'])
      await rig.eco(['daemon', 'stop', '--apps'])
      expect(contents(rig, 'demo/default')).toEqual(before)
      expect(pids.every(isRunning)).toBe(true)
      writeFileSync(file, intact)
      expect(await rig.pids('app')).toEqual(pids)
      expect(await rig.app('held')).toMatchObject({ state: 'stopped' })
    })
  }

  test('that says that the scope is down keeps it down', async () => {
    await using rig = await createRig()
    await rig.apply({ apps: { app: sleeper } })
    await rig.eco(['daemon', 'stop', '--apps'])
    const file = join(rig.home, 'scopes/demo/default/down.json')
    change(file, { format: 2 })
    const before = contents(rig, 'demo/default')
    await rig.eco(['daemon', 'start'])
    const listed = await rig.eco(['ls'])
    expect(`${listed.stdout}${listed.stderr}`).toContain(file)
    expect(contents(rig, 'demo/default')).toEqual(before)
  })
})

test('state of format 1 is brought up to date: nothing to do, and nobody is restarted', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = {
    script: fixture('http-server.mjs'),
    env: { PORT: String(port) },
    ready: { http: `http://127.0.0.1:${port}/` },
  }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const before = await rig.pids('api')
  await rig.eco(['daemon', 'stop'])
  const dir = join(rig.home, 'scopes/demo/default')
  const revision = join(dir, 'revisions/000001.json')
  const { apps } = JSON.parse(readFileSync(revision, 'utf8'))
  change(revision, { format: 1, apps: { api: { ...apps.api, spec: asFormat1(apps.api.spec) } } })
  for (const name of readdirSync(join(dir, 'runtime'))) {
    const path = join(dir, 'runtime', name)
    const { spec_format: _, ...record } = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...record, spec: asFormat1(record.spec) }))
  }
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.pids('api')).toEqual(before)
})

/** As eco wrote it before it knew probes, hooks and limits: less of everything, and the port of a check beside its type. */
function asFormat1(spec: any): object {
  const { kind, command, cwd, instances, listen, env, ambient, ready, stop, restart, dependsOn, schedule } = spec
  const { endpoint, path, status } = ready.check
  return {
    kind,
    command,
    cwd,
    instances,
    listen,
    env,
    ambient,
    dependsOn,
    schedule,
    ready: {
      check: { type: 'http', host: endpoint.host, port: endpoint.port, path, status },
      timeoutMs: ready.timeoutMs,
      intervalMs: ready.intervalMs,
    },
    stop: { signal: stop.signal, timeoutMs: stop.timeoutMs },
    restart: { policy: restart.policy, max: restart.max, windowMs: restart.windowMs, backoff: restart.backoff },
    rollout: { exclusive: spec.rollout.exclusive },
  }
}

test('what a newer eco wrote is named to a verb that finds no app, and to who stops all', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: { app: { command: ['sleep', '1000'] } } })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  expect(await rig.eco(['daemon', 'stop'])).toMatchObject({ code: 0 })
  writeFileSync(join(rig.home, 'scopes/demo/default/holds.json'), '{"format":9}')
  const restarted = await rig.eco(['restart', 'app'])
  expect(restarted).toMatchObject({ code: 5 })
  expect(restarted.stderr).toMatch(/No app matches "app"[^]*holds\.json has format 9[^]*hint: upgrade eco/)
  const stopped = await rig.eco(['daemon', 'stop', '--apps'])
  expect(stopped.stderr).toMatch(/go on:[^]*demo\/default: .*holds\.json has format 9/)
  expect(isRunning(pid)).toBe(true)
  rmSync(join(rig.home, 'scopes/demo/default/holds.json'))
})
