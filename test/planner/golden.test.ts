import { describe, expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { Hold } from '../../src/model/applied.ts'
import { NOTHING_APPLIED } from '../../src/model/applied.ts'
import { diffExitCode } from '../../src/planner/exit-code.ts'
import {
  planOf,
  APPLY,
  applied,
  cron,
  endpoint,
  httpCheck,
  instance,
  NOW,
  observed,
  plain,
  secret,
  spec,
  textOf,
  verb,
} from './scenario.ts'

const api = spec({
  instances: 2,
  listen: [{ type: 'tcp', host: null, port: 3000 }],
  env: { LOG_LEVEL: plain('info'), PORT: plain('3000') },
  ready: {
    ...SPEC_DEFAULTS.ready,
    check: httpCheck(3000, '/healthz'),
  },
})
const worker = spec({ command: ['node', 'worker.js'], instances: 2 })
const redis = spec({
  command: ['redis-server', '--port', '6390'],
  ready: { ...SPEC_DEFAULTS.ready, check: { type: 'tcp', endpoint: endpoint(6390) }, timeoutMs: 10_000 },
  rollout: { ...SPEC_DEFAULTS.rollout, exclusive: true },
})
const migrate = spec({ kind: 'job', command: ['node', 'migrate.js'] })
const report = spec({ kind: 'cron', command: ['node', 'report.js'], schedule: cron('0 3 * * *') })
const stopped: Hold = { instances: 0, verb: 'stop', by: 'deploy@tty1', at: NOW }
const scaled: Hold = { instances: 4, verb: 'scale', by: 'deploy@tty1', at: NOW }
const failed = {
  state: 'failed',
  ready: false,
  pid: null,
  reason: '16 restarts in 60 s',
  lastExit: { kind: 'code', code: 1, at: NOW },
} as const
const crashing = { state: 'backoff', ready: false, pid: null, restarts: 3, lastExit: failed.lastExit } as const

describe('changes', () => {
  test('rolls when a variable changes, and says which', () => {
    const changed = {
      ...api,
      env: { ...api.env, LOG_LEVEL: plain('debug'), NEW: plain('a b') },
      restart: { ...api.restart, windowMs: 90_000, backoff: { ...api.restart.backoff, maxMs: 60_000 } },
    }
    expect(textOf({ file: { api: changed, worker }, applied: applied({ api, worker }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > api  roll  v7 -> v8
          env.LOG_LEVEL        "info" -> "debug"   roll
          env.NEW              (unset) -> "a b"    roll
          restart.backoff.max  30s -> 1m           live
          restart.window       1m -> 90s           live

      Steps
      #1  roll api  replaces api#0, api#1 one by one
          env.LOG_LEVEL, env.NEW, restart.backoff.max and 1 more changed · ready: http :3000/healthz within 30s, and for 2s

      Plan p-41-…: 1 roll, 1 step, 1 unchanged
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('takes over live fields without touching a process', () => {
    const changed = {
      ...api,
      stop: { ...api.stop, signal: 'SIGINT', timeoutMs: 15_000 } as const,
      dependsOn: { redis: 'ready' } as const,
    }
    expect(textOf({ file: { api: changed, redis }, applied: applied({ api, redis }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      ~ api  live  v7 -> v8
          stop.signal       "SIGTERM" -> "SIGINT"   live
          stop.timeout      10s -> 15s              live
          depends_on.redis  (unset) -> "ready"      live

      Steps
      #1  update api  in place, no process is touched
          stop.signal, stop.timeout, depends_on.redis changed

      Plan p-41-…: 1 live, 1 step, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('shows a readiness check as a phrase, a command as a line and ports as numbers', () => {
    const changed = spec({
      command: ['sh', '-c', "echo 'hi there'"],
      listen: [
        { type: 'tcp', host: '0.0.0.0', port: 3100 },
        { type: 'unix', path: '/run/api.sock' },
      ],
      ready: { ...SPEC_DEFAULTS.ready, check: { type: 'log', pattern: 'listening', flags: 'i' } },
    })
    expect(textOf({ file: { api: changed }, applied: applied({ api: spec() }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > api  roll  v7 -> v8
          command  node server.js -> sh -c 'echo '\\''hi there'\\'''   roll
          listen   (none) -> 0.0.0.0:3100, /run/api.sock             roll
          ready    settled -> log /listening/i                       live

      Steps
      #1  roll api  replaces api#0
          command, listen, ready changed · ready: log /listening/i within 30s, and for 2s

      Plan p-41-…: 1 roll, 1 step
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('scales up and keeps what runs', () => {
    const file = { worker: { ...worker, instances: 4 } }
    expect(textOf({ file, applied: applied({ worker }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      # worker  scale  v7 -> v8
          instances  2 -> 4   scale

      Steps
      #1  scale worker  keeps 2, starts worker#2, worker#3
          instances changed · ready: settled within 30s

      Plan p-41-…: 1 scale, 1 step
      Apply exactly this: eco apply
      "
    `)
  })

  test('scales down, the highest slot first', () => {
    const many = { ...worker, instances: 6 }
    expect(textOf({ file: { worker: { ...worker, instances: 1 } }, applied: applied({ worker: many }) }))
      .toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      # worker  scale  v7 -> v8
          instances  6 -> 1   scale

      Steps
      #1  scale worker  keeps 1, stops worker#5-1
          instances changed · exit: SIGTERM, then SIGKILL after 10s

      Plan p-41-…: 1 scale, 1 step
      Apply exactly this: eco apply
      "
    `)
  })

  test('rolls and scales in one step', () => {
    const file = { worker: { ...worker, instances: 3, command: ['node', 'w2.js'] } }
    expect(textOf({ file, applied: applied({ worker }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > worker  roll  v7 -> v8
          command    node worker.js -> node w2.js   roll
          instances  2 -> 3                         scale

      Steps
      #1  roll worker  replaces worker#0, worker#1 one by one, starts worker#2, 2 -> 3 instances
          command, instances changed · ready: settled within 30s, and for 2s

      Plan p-41-…: 1 roll, 1 step
      roll worker: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('shows the pace of a rollout, and what it costs', () => {
    const before = { ...worker, instances: 4 }
    const rollout = {
      ...SPEC_DEFAULTS.rollout,
      maxSurge: 0,
      maxUnavailable: '50%',
      soakMs: 0,
      check: { command: ['node', 'smoke.js'], timeoutMs: 5000 },
      order: 'descending',
    } as const
    const file = { worker: { ...before, rollout, command: ['node', 'w2.js'] } }
    expect(textOf({ file, applied: applied({ worker: before }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > worker  roll  v7 -> v8
          command                  node worker.js -> node w2.js         roll
          rollout.check            (unset) -> node smoke.js within 5s   live
          rollout.max_surge        "25%" -> 0                           live
          rollout.max_unavailable  0 -> "50%"                           live
          rollout.order            "ascending" -> "descending"          live
          rollout.soak             2s -> 0ms                            live

      Steps
      #1  roll worker  replaces worker#0-3 one by one
          command, rollout.check, rollout.max_surge and 3 more changed · ready: settled within 30s, then check: node smoke.js

      Plan p-41-…: 1 roll, 1 step
      roll worker: 2 of 4 instances down at a time
      Apply exactly this: eco apply
      "
    `)
    const { steps } = planOf({ file, applied: applied({ worker: before }) }).plan
    expect(steps[0]?.operations.map(({ op, instance }) => `${op} ${instance}`)).toMatchInlineSnapshot(`
      [
        "stop worker#3",
        "wait_exit worker#3",
        "stop worker#2",
        "wait_exit worker#2",
        "start worker#3",
        "wait_ready worker#3",
        "stop worker#1",
        "wait_exit worker#1",
        "start worker#2",
        "wait_ready worker#2",
        "stop worker#0",
        "wait_exit worker#0",
        "start worker#1",
        "wait_ready worker#1",
        "start worker#0",
        "wait_ready worker#0",
      ]
    `)
  })

  test('stops before it starts where two copies cannot run at once', () => {
    const file = { redis: { ...redis, command: ['redis-server', '--port', '6390', '--save', ''] } }
    expect(textOf({ file, applied: applied({ redis }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      ! redis  restart  v7 -> v8
          command  redis-server --port 6390 -> redis-server --port 6390 --save ''   roll

      Steps
      #1  restart redis  restarts redis#0
          command changed · ready: tcp :6390 within 10s

      Plan p-41-…: 1 restart, 1 step
      warning: restart redis: down while it restarts: two copies cannot run at once
      Apply exactly this: eco apply
      "
    `)
  })

  test('replaces an app whose kind changes', () => {
    const file = { migrate: { ...migrate, kind: 'service' as const } }
    expect(textOf({ file, applied: applied({ migrate }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      ! migrate  restart  v7 -> v8
          kind  "job" -> "service"   restart

      Steps
      #1  start migrate  starts migrate#0
          kind changed · ready: settled within 30s

      Plan p-41-…: 1 restart, 1 step
      Apply exactly this: eco apply
      "
    `)
    expect(textOf({ file: { worker: { ...worker, kind: 'job' } }, applied: applied({ worker }) }))
      .toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      ! worker  restart  v7 -> v8
          kind  "service" -> "job"   restart

      Steps
      #1  restart worker  stops worker#1, then restarts worker#0
          kind changed · completion: exit code 0

      Plan p-41-…: 1 restart, 1 step
      warning: restart worker: down while it changes its kind
      Apply exactly this: eco apply
      "
    `)
  })

  test('shows that a secret changed, never what it is', () => {
    const before = spec({ env: { A: secret('env:A', '3f9a11'), B: plain('hunter2'), C: secret('env:C', 'c0ffee') } })
    const after = spec({ env: { A: secret('env:A', '81bc22'), B: secret('file:/run/b', 'beef00'), C: plain('open') } })
    expect(textOf({ file: { api: after }, applied: applied({ api: before }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > api  roll  v7 -> v8
          env.A  (secret env:A) 3f9a… -> 81bc…                      roll
          env.B  (plain, not shown) -> (secret file:/run/b) beef…   roll
          env.C  (secret env:C) c0ff… -> (plain, not shown)         roll

      Steps
      #1  roll api  replaces api#0
          env.A, env.B, env.C changed · ready: settled within 30s, and for 2s

      Plan p-41-…: 1 roll, 1 step
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('ignores a new seal of the same secret, and other ambient variables', () => {
    const before = spec({ env: { A: secret('env:A', '3f9a11', 'one') } })
    const after = { ...before, env: { A: secret('env:A', '3f9a11', 'two') }, ambient: { PATH: '/opt/bin' } }
    expect(textOf({ file: { api: after }, applied: applied({ api: before }) })).toMatchInlineSnapshot(`
      "
      No changes. 1 app, 1 instance match ecosystem.yaml (serial 41).
      "
    `)
  })
})

describe('a scope', () => {
  test('is started in the order of its dependencies', () => {
    const file = {
      api: { ...api, dependsOn: { redis: 'ready', migrate: 'completed' } as const },
      migrate: { ...migrate, dependsOn: { redis: 'ready' } as const },
      redis,
      report,
    }
    expect(textOf({ file, applied: NOTHING_APPLIED })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 0 · git 9f3c2e1 (clean)

      Changes
      + api      create  v1
          command             node server.js
          instances           2
          listen              3000
          env.LOG_LEVEL       "info"
          env.PORT            "3000"
          depends_on.migrate  "completed"
          depends_on.redis    "ready"
      + migrate  create  v1
          command           node migrate.js
          depends_on.redis  "ready"
      + redis    create  v1
          command    redis-server --port 6390
          instances  1
      + report   create  v1
          command   node report.js
          schedule  "0 3 * * *"

      Steps
      #1  start redis      starts redis#0
          new in the file · ready: tcp :6390 within 10s
      #2  run migrate      runs once
          new in the file · completion: exit code 0 · after #1
      #3  start api        starts api#0, api#1
          new in the file · ready: http :3000/healthz within 30s · after #1, #2
      #4  schedule report  arms the schedule
          new in the file

      Plan p-0-…: 4 create, 4 steps
      Apply exactly this: eco apply
      "
    `)
  })

  test('is removed in the reverse order', () => {
    const before = {
      api: { ...api, dependsOn: { redis: 'ready', auth: 'started' } as const },
      auth: { ...worker, dependsOn: { redis: 'ready' } as const },
      redis,
      worker,
    }
    expect(textOf({ file: { worker }, applied: applied(before) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      - api    destroy  v7
      - auth   destroy  v7
      - redis  destroy  v7

      Steps
      #1  remove api    stops api#1, api#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s
      #2  remove auth   stops auth#1, auth#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s · after #1
      #3  remove redis  stops redis#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s · after #1, #2

      Plan p-41-…: 3 destroy, 3 steps, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('changes in many ways at once', () => {
    const file = {
      api: { ...api, env: {}, dependsOn: { redis: 'ready', migrate: 'completed' } as const },
      migrate: { ...migrate, env: { V: plain('2') } },
      redis,
      worker: { ...worker, instances: 3 },
      report: { ...report, schedule: cron('0 4 * * *', 'Europe/Zurich') },
      mailer: spec({ command: ['node', 'dist/mailer.js'], env: { KEY: secret('env:KEY', 'abcdef') } }),
    }
    const before = applied({ api, migrate, redis, worker, report, legacy: worker }, { holds: { worker: stopped } })
    const seen = observed(before, { redis: [instance(0, failed)] })
    expect(textOf({ file, applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * redis#0  failed  16 restarts in 60 s  -> repaired by this plan
      * worker   held    eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan

      Changes
      > api      roll  v7 -> v8
          env.LOG_LEVEL       "info" -> (unset)        roll
          env.PORT            "3000" -> (unset)        roll
          depends_on.migrate  (unset) -> "completed"   live
          depends_on.redis    (unset) -> "ready"       live
      - legacy   destroy  v7
      + mailer   create  v1
          command    node dist/mailer.js
          instances  1
          env.KEY    (secret env:KEY) abcd…
      > migrate  roll  v7 -> v8
          env.V  (unset) -> "2"   roll
      ~ report   live  v7 -> v8
          schedule  "0 3 * * *" -> "0 4 * * *"   live
          timezone  (unset) -> "Europe/Zurich"   live
      # worker   scale  v7 -> v8
          instances  2 -> 3   scale

      Steps
      #1  remove legacy  stops legacy#1, legacy#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s
      #2  start mailer   starts mailer#0
          new in the file · ready: settled within 30s
      #3  run migrate    runs once
          env.V changed · completion: exit code 0
      #4  start redis    starts redis#0
          redis#0 failed: 16 restarts in 60 s · ready: tcp :6390 within 10s
      #5  roll api       replaces api#0, api#1 one by one
          env.LOG_LEVEL, env.PORT, depends_on.migrate and 1 more changed · ready: http :3000/healthz within 30s, and for 2s · after #3, #4
      #6  update report  in place, no process is touched
          schedule, timezone changed
      #7  start worker   starts worker#0-2
          instances changed; ends eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z · ready: settled within 30s

      Plan p-41-…: 1 create, 1 live, 1 scale, 2 roll, 1 destroy, 2 drift items, 7 steps
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('needs nothing when all is as the file says', () => {
    expect(textOf({ applied: applied({ api, worker, redis, migrate, report }) })).toMatchInlineSnapshot(`
      "
      No changes. 5 apps, 5 instances match ecosystem.yaml (serial 41).
      "
    `)
  })

  test('is left alone but for the apps asked for', () => {
    const file = { api: { ...api, env: {} }, mailer: worker, worker: { ...worker, instances: 5 } }
    const before = applied({ api, worker, legacy: worker }, { holds: { worker: stopped } })
    const seen = observed(before, { worker: [], legacy: [] })
    const intent = { ...APPLY, only: ['api'] }
    expect(textOf({ file, applied: before, observed: seen, intent })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean) · only api

      Changes
      > api  roll  v7 -> v8
          env.LOG_LEVEL  "info" -> (unset)   roll
          env.PORT       "3000" -> (unset)   roll

      Steps
      #1  roll api  replaces api#0, api#1 one by one
          env.LOG_LEVEL, env.PORT changed · ready: http :3000/healthz within 30s, and for 2s

      Plan p-41-…: 1 roll, 1 step
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })
})

describe('drift', () => {
  test('starts failed and missing instances, and leaves a crash to the supervisor', () => {
    const before = applied({ api: { ...api, instances: 4 }, worker, redis })
    const seen = observed(before, {
      api: [instance(0), instance(1, failed), instance(2, crashing)],
      worker: [],
      redis: [instance(0, crashing)],
    })
    expect(textOf({ applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api#1    failed    16 restarts in 60 s  -> repaired by this plan
      * api#2    crashing  exited with code 1, 3 restarts  -> already being repaired
      * api#3    missing   not running  -> repaired by this plan
      * redis#0  crashing  exited with code 1, 3 restarts  -> already being repaired
      * worker   missing   none of 2 instances runs  -> repaired by this plan

      Steps
      #1  start api     starts api#1, api#3
          api#1 failed: 16 restarts in 60 s; api#3 missing: not running · ready: http :3000/healthz within 30s
      #2  start worker  starts worker#0, worker#1
          worker missing: none of 2 instances runs · ready: settled within 30s

      Plan p-41-…: 5 drift items, 2 steps, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('is named even when nothing is to do', () => {
    const before = applied({ redis })
    expect(textOf({ applied: before, observed: observed(before, { redis: [instance(0, crashing)] }) }))
      .toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * redis#0  crashing  exited with code 1, 3 restarts  -> already being repaired

      No changes to 1 app, 1 instance of ecosystem.yaml (serial 41).
      "
    `)
  })

  test('ends holds', () => {
    const before = applied(
      { api, worker, report, migrate },
      { holds: { api: scaled, worker: stopped, report: stopped } },
    )
    expect(textOf({ applied: before })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api     held  eco scale api 4 by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan
      * report  held  eco stop report by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan
      * worker  held  eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan

      Steps
      #1  scale api        keeps 2, stops api#3, api#2
          ends eco scale api 4 by deploy@tty1 at 2026-01-02T03:04:05.000Z · exit: SIGTERM, then SIGKILL after 10s
      #2  schedule report  arms the schedule
          ends eco stop report by deploy@tty1 at 2026-01-02T03:04:05.000Z
      #3  start worker     starts worker#0, worker#1
          ends eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z · ready: settled within 30s

      Plan p-41-…: 3 drift items, 3 steps, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('stops what is too much, and finishes an interrupted rollout', () => {
    const before = applied({ api, worker })
    const seen = observed(before, {
      api: [instance(0), instance(1, { version: 6 })],
      worker: [instance(0), instance(1), instance(3)],
    })
    expect(textOf({ applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api#1     outdated  runs v6, v7 was applied  -> repaired by this plan
      * worker#3  extra     runs, but 2 instances are wanted  -> repaired by this plan

      Steps
      #1  roll api     replaces api#1
          api#1 outdated: runs v6, v7 was applied · ready: http :3000/healthz within 30s, and for 2s
      #2  stop worker  stops worker#3
          worker#3 extra: runs, but 2 instances are wanted · exit: SIGTERM, then SIGKILL after 10s

      Plan p-41-…: 2 drift items, 2 steps
      roll api: no downtime: each new instance is ready before the old one stops
      Apply exactly this: eco apply
      "
    `)
  })

  test('runs a job again that failed, once that was cut off, and none that completed or runs', () => {
    const before = applied({ failing: migrate, missing: migrate, old: migrate, done: migrate, running: migrate })
    const ended = { state: 'exited', pid: null, ready: false } as const
    const seen = observed(before, {
      failing: [instance(0, { ...ended, lastExit: { kind: 'code', code: 3, at: NOW } })],
      missing: [],
      old: [instance(0, { ...ended, version: 6, lastExit: { kind: 'code', code: 0, at: NOW } })],
      running: [instance(0)],
    })
    expect(textOf({ applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * failing  failed   last run: exited with code 3  -> repaired by this plan
      * missing  missing  never ran as v7  -> repaired by this plan
      * old      missing  never ran as v7  -> repaired by this plan

      Steps
      #1  run failing  runs once
          failing failed: last run: exited with code 3 · completion: exit code 0
      #2  run missing  runs once
          missing missing: never ran as v7 · completion: exit code 0
      #3  run old      runs once
          old missing: never ran as v7 · completion: exit code 0

      Plan p-41-…: 3 drift items, 3 steps, 2 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('leaves a service that ended as its policy allows', () => {
    const once = spec({ restart: { ...spec().restart, policy: 'on_failure' } })
    const never = spec({ restart: { ...spec().restart, policy: 'never' } })
    const before = applied({ once, never })
    const ended = { state: 'exited', pid: null, ready: false } as const
    const seen = observed(before, {
      once: [instance(0, { ...ended, lastExit: { kind: 'code', code: 0, at: NOW } })],
      never: [instance(0, { ...ended, lastExit: { kind: 'signal', signal: 'SIGSEGV', at: NOW } })],
    })
    expect(textOf({ applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * never#0  failed  was killed by SIGSEGV  -> repaired by this plan

      Steps
      #1  start never  starts never#0
          never#0 failed: was killed by SIGSEGV · ready: settled within 30s

      Plan p-41-…: 1 drift item, 1 step, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('is repaired by the step of a change that would touch no process', () => {
    const before = applied({ api })
    const file = { api: { ...api, restart: { ...api.restart, max: 3 } } }
    expect(textOf({ file, applied: before, observed: observed(before, { api: [instance(0), instance(1, failed)] }) }))
      .toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api#1  failed  16 restarts in 60 s  -> repaired by this plan

      Changes
      ~ api  live  v7 -> v8
          restart.max  16 -> 3   live

      Steps
      #1  start api  starts api#1
          restart.max changed; api#1 failed: 16 restarts in 60 s · ready: http :3000/healthz within 30s

      Plan p-41-…: 1 live, 1 drift item, 1 step
      Apply exactly this: eco apply
      "
    `)
  })
})

describe('guards', () => {
  test('refuse to empty a scope', () => {
    expect(textOf({ file: {}, applied: applied({ redis, worker }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      - redis   destroy  v7
      - worker  destroy  v7

      Steps
      #1  remove redis   stops redis#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s
      #2  remove worker  stops worker#1, worker#0, then forgets the app
          not in the file any more · exit: SIGTERM, then SIGKILL after 10s

      Refused
      empty-scope  this would remove all 2 apps of shop/production
        to go on: --allow-empty

      Plan p-41-…: 2 destroy, 2 steps
      This plan cannot be applied as it stands.
      "
    `)
  })

  test('refuse another file', () => {
    expect(textOf({ applied: applied({ redis }, { file: '/home/me/ecosystem.yaml' }) })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Refused
      other-source  this scope was applied from /home/me/ecosystem.yaml, not from /srv/shop/ecosystem.yaml
        to go on: --take-over

      Plan p-41-…: 0 steps, 1 unchanged
      This plan cannot be applied as it stands.
      "
    `)
  })

  test('refuse a port that another process holds', () => {
    const before = applied({ redis })
    const foreign = [
      { port: 6390, pid: 4211, command: 'redis-server *:6390' },
      { port: 3000, pid: null, command: null },
    ]
    const seen = observed(before, { redis: [] }, foreign)
    expect(textOf({ file: { redis, api }, applied: before, observed: seen })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api      foreign-port  port 3000 is held by another process, which eco did not start  -> blocks this plan
      * redis#0  missing       not running  -> repaired by this plan
      * redis    foreign-port  port 6390 is held by pid 4211 (redis-server *:6390), which eco did not start  -> blocks this plan

      Changes
      + api  create  v1
          command        node server.js
          instances      2
          listen         3000
          env.LOG_LEVEL  "info"
          env.PORT       "3000"

      Steps
      #1  start api    starts api#0, api#1
          new in the file · ready: http :3000/healthz within 30s
      #2  start redis  starts redis#0
          redis#0 missing: not running · ready: tcp :6390 within 10s

      Refused
      foreign-port  api needs port 3000, but another process holds it
      foreign-port  redis needs port 6390, but pid 4211 (redis-server *:6390) holds it

      Plan p-41-…: 1 create, 3 drift items, 2 steps
      This plan cannot be applied as it stands.
      "
    `)
    expect(textOf({ applied: before, observed: observed(before, {}, foreign) })).toMatchInlineSnapshot(`
      "
      No changes. 1 app, 1 instance match ecosystem.yaml (serial 41).
      "
    `)
  })
})

describe('jobs and schedules', () => {
  const digest = (letter: string): string => letter.repeat(64)

  test('name the input file that changed', () => {
    const inputs = { 'migrations/001.sql': digest('a'), 'migrations/002.sql': digest('b') }
    const before = applied({ migrate: { ...migrate, inputs } })
    const now = { 'migrations/001.sql': digest('c'), 'migrations/003_Users.sql': digest('d') }
    expect(textOf({ file: { migrate: { ...migrate, inputs: now } }, applied: before })).toMatchInlineSnapshot(`
      "
      shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      > migrate  roll  v7 -> v8
          inputs.migrations/001.sql        changed   roll
          inputs.migrations/002.sql        gone      roll
          inputs.migrations/003_Users.sql  new       roll

      Steps
      #1  run migrate  runs once
          inputs.migrations/001.sql, inputs.migrations/002.sql, inputs.migrations/003_Users.sql changed · completion: exit code 0

      Plan p-41-…: 1 roll, 1 step
      Apply exactly this: eco apply
      "
    `)
  })

  test('run: always is neither a change nor drift', () => {
    const always = { ...migrate, job: { ...migrate.job, run: 'always' as const } }
    const before = applied({ migrate: always, worker })
    const planned = planOf({ file: { migrate: always, worker }, applied: before })
    expect(planned.plan.steps).toMatchObject([
      { app: 'migrate', action: 'run', trigger: 'always', cause: 'run: always' },
    ])
    expect(diffExitCode(planned.plan)).toBe(0)
    // Failed or held, it says that instead.
    const failedRun = observed(before, { migrate: [instance(0, { ...failed, reason: 'exited with code 3' })] })
    const again = planOf({ file: { migrate: always, worker }, applied: before, observed: failedRun })
    expect(again.plan.steps).toMatchObject([
      { cause: 'migrate failed: last run: exited with code 3', trigger: 'drift' },
    ])
    expect(diffExitCode(again.plan)).toBe(3)
    for (const name of ['start', 'reload', 'stop'] as const) {
      const steps = planOf({ applied: before, intent: verb(name, ['worker']) }).plan.steps
      expect(steps.filter(({ app }) => app === 'migrate')).toEqual([])
    }
  })

  test('restart runs them now, and start only what has not completed', () => {
    const before = applied({ migrate, report }, { holds: { report: stopped } })
    const restarted = planOf({ applied: before, intent: verb('restart', ['migrate', 'report']) })
    expect(restarted.plan.steps).toMatchObject([
      { app: 'migrate', action: 'run', gate: 'completion: exit code 0' },
      { app: 'report', action: 'run', gate: null },
    ])
    expect(restarted.nextHolds).toEqual({})
    expect(planOf({ applied: before, intent: verb('start', ['migrate']) }).plan.steps).toEqual([])
  })
})

describe('verbs', () => {
  const before = applied({ api: { ...api, dependsOn: { redis: 'ready' } as const }, redis, worker, migrate, report })

  test('stop in the reverse order of dependencies', () => {
    expect(textOf({ applied: before, intent: verb('stop', ['redis', 'api', 'report']) })).toMatchInlineSnapshot(`
      "
      eco stop api redis report · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  stop api     stops api#1, api#0
          eco stop · exit: SIGTERM, then SIGKILL after 10s
      #2  stop redis   stops redis#0
          eco stop · exit: SIGTERM, then SIGKILL after 10s · after #1
      #3  stop report  nothing runs
          eco stop

      Plan p-41-…: 3 steps
      Apply exactly this: eco apply
      "
    `)
  })

  test('stop nothing twice', () => {
    const held = applied({ worker }, { holds: { worker: stopped } })
    expect(textOf({ applied: held, intent: verb('stop', ['worker']) })).toMatchInlineSnapshot(`
      "
      eco stop worker · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * worker  held  eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> left as it is

      Nothing to do for eco stop.
      "
    `)
  })

  test('start what is stopped, failed or ended', () => {
    const held = applied({ api, worker, report, migrate }, { holds: { worker: stopped, report: stopped } })
    const seen = observed(held, { api: [instance(0), instance(1, failed)] })
    const intent = verb('start', ['api', 'worker', 'report', 'migrate'])
    expect(textOf({ applied: held, observed: seen, intent })).toMatchInlineSnapshot(`
      "
      eco start api migrate report worker · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * api#1   failed  16 restarts in 60 s  -> repaired by this plan
      * report  held    eco stop report by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan
      * worker  held    eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan

      Steps
      #1  start api        starts api#1
          eco start; api#1 failed: 16 restarts in 60 s · ready: http :3000/healthz within 30s
      #2  schedule report  arms the schedule
          eco start; ends eco stop report by deploy@tty1 at 2026-01-02T03:04:05.000Z
      #3  start worker     starts worker#0, worker#1
          eco start; ends eco stop worker by deploy@tty1 at 2026-01-02T03:04:05.000Z · ready: settled within 30s

      Plan p-41-…: 3 drift items, 3 steps, 1 unchanged
      Apply exactly this: eco apply
      "
    `)
  })

  test('restart takes along the running apps that restart with it, in order', () => {
    const chain = applied({
      redis,
      api: { ...api, dependsOn: { redis: 'ready' }, restartsWith: ['redis'] },
      worker: { ...worker, dependsOn: { api: 'ready' }, restartsWith: ['api'] },
      aside: { ...worker, dependsOn: { redis: 'ready' } },
    })
    expect(textOf({ applied: chain, intent: verb('restart', ['redis']) })).toMatchInlineSnapshot(`
      "
      eco restart redis · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  restart redis  restarts redis#0
          eco restart · ready: tcp :6390 within 10s
      #2  roll api       replaces api#0, api#1 one by one
          restarts with redis · ready: http :3000/healthz within 30s, and for 2s · after #1
      #3  roll worker    replaces worker#0, worker#1 one by one
          restarts with api · ready: settled within 30s, and for 2s · after #2

      Plan p-41-…: 3 steps
      roll api, worker: no downtime: each new instance is ready before the old one stops
      warning: restart redis: each instance is down while it restarts
      Apply exactly this: eco apply
      "
    `)
  })

  test('restart all slots, or those given', () => {
    expect(textOf({ applied: before, intent: verb('restart', ['api', 'redis']) })).toMatchInlineSnapshot(`
      "
      eco restart api redis · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  stop api       stops api#1, api#0
          eco restart · exit: SIGTERM, then SIGKILL after 10s
      #2  restart redis  restarts redis#0
          eco restart · ready: tcp :6390 within 10s · after #1
      #3  start api      starts api#0, api#1
          eco restart · ready: http :3000/healthz within 30s · after #1, #2

      Plan p-41-…: 3 steps
      warning: restart redis: each instance is down while it restarts
      Apply exactly this: eco apply
      "
    `)
    const intent = { ...verb('restart', []), apps: [{ app: 'api', slots: [1] }] }
    expect(textOf({ applied: before, intent })).toMatchInlineSnapshot(`
      "
      eco restart api · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  restart api  restarts api#1
          eco restart · ready: http :3000/healthz within 30s

      Plan p-41-…: 1 step
      warning: restart api: each instance is down while it restarts
      Apply exactly this: eco apply
      "
    `)
  })

  test('reload one by one, where two copies can run at once', () => {
    expect(textOf({ applied: before, intent: verb('reload', ['api', 'redis', 'migrate']) })).toMatchInlineSnapshot(`
      "
      eco reload api migrate redis · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  restart redis  restarts redis#0
          eco reload · ready: tcp :6390 within 10s
      #2  roll api       replaces api#0, api#1 one by one
          eco reload · ready: http :3000/healthz within 30s, and for 2s · after #1

      Plan p-41-…: 2 steps, 1 unchanged
      roll api: no downtime: each new instance is ready before the old one stops
      warning: restart redis: down while it restarts: two copies cannot run at once
      Apply exactly this: eco apply
      "
    `)
  })

  test('scale, and back to what the file says', () => {
    expect(textOf({ applied: before, intent: verb('scale', ['worker'], { instances: 4 }) })).toMatchInlineSnapshot(`
      "
      eco scale worker · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Steps
      #1  scale worker  keeps 2, starts worker#2, worker#3
          eco scale 4 · ready: settled within 30s

      Plan p-41-…: 1 step
      Apply exactly this: eco apply
      "
    `)
    const held = applied({ worker }, { holds: { worker: scaled } })
    expect(textOf({ applied: held, intent: verb('scale', ['worker'], { instances: 2 }) })).toMatchInlineSnapshot(`
      "
      eco scale worker · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Drift since serial 41
      * worker  held  eco scale worker 4 by deploy@tty1 at 2026-01-02T03:04:05.000Z  -> ends with this plan

      Steps
      #1  scale worker  keeps 2, stops worker#3, worker#2
          eco scale 2; ends eco scale worker 4 by deploy@tty1 at 2026-01-02T03:04:05.000Z · exit: SIGTERM, then SIGKILL after 10s

      Plan p-41-…: 1 drift item, 1 step
      Apply exactly this: eco apply
      "
    `)
  })

  test('delete, but not the last app without being told to', () => {
    expect(textOf({ applied: before, intent: verb('delete', ['api']) })).toMatchInlineSnapshot(`
      "
      eco delete api · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      - api  destroy  v7

      Steps
      #1  remove api  stops api#1, api#0, then forgets the app
          eco delete · exit: SIGTERM, then SIGKILL after 10s

      Plan p-41-…: 1 destroy, 1 step
      Apply exactly this: eco apply
      "
    `)
    expect(textOf({ applied: applied({ worker }), intent: verb('delete', ['worker']) })).toMatchInlineSnapshot(`
      "
      eco delete worker · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

      Changes
      - worker  destroy  v7

      Steps
      #1  remove worker  stops worker#1, worker#0, then forgets the app
          eco delete · exit: SIGTERM, then SIGKILL after 10s

      Refused
      empty-scope  this would remove the only app of shop/production
        to go on: --allow-empty

      Plan p-41-…: 1 destroy, 1 step
      This plan cannot be applied as it stands.
      "
    `)
  })
})
