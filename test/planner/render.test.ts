import { describe, expect, test } from 'vitest'
import { diffExitCode } from '../../src/planner/exit-code.ts'
import { describeSlots } from '../../src/planner/cause.ts'
import { formatDuration } from '../../src/planner/duration.ts'
import { renderJson } from '../../src/planner/render-json.ts'
import { renderMarkdown } from '../../src/planner/render-markdown.ts'
import { renderText } from '../../src/planner/render-text.ts'
import { shortenPair } from '../../src/planner/text-style.ts'
import { APPLY, applied, instance, NOW, observed, plain, planOf, secret, spec, verb } from './scenario.ts'

const before = spec({ env: { KEY: secret('env:KEY', '3f9a11'), URL: plain(`http://${'a'.repeat(80)}/1`) } })
const after = spec({
  env: { KEY: secret('env:KEY', '81bc22'), URL: plain(`http://${'a'.repeat(80)}/2`) },
  stop: { ...before.stop, timeoutMs: 15_000 },
})
const { plan: changed } = planOf({
  file: { api: after, idle: before },
  applied: applied({ api: before, idle: before }),
})

describe('text', () => {
  test('shortens long values around their difference', () => {
    const text = renderText(changed, { color: false, width: 80, apply: null })
    expect(text).toContain('env.URL       …aaaaaaaaa/1" -> …aaaaaaaaa/2"    roll')
  })

  test('is coloured only on request, lists unchanged apps only on request, and has an ASCII form', () => {
    const coloured = renderText(changed, { color: true, width: 80, all: true, apply: null })
    expect(coloured).toContain('\u001B[33m> api  roll\u001B[0m')
    expect(coloured).toContain('= idle  unchanged')
    const ascii = renderText(changed, { color: false, width: 80, ascii: true, apply: null })
    expect(ascii).toContain('(secret env:KEY) 3f9a... -> 81bc...')
    expect(ascii).not.toContain('idle')
  })
})

test('settings of supervision are shown by the names and in the units of the file', () => {
  const none = spec({})
  const check = {
    type: 'tcp',
    endpoint: { type: 'tcp', host: '127.0.0.1', port: 3000, perInstance: true },
  } as const
  const hook = { command: ['sh', '-c', 'true'], timeoutMs: 5000 }
  const all = spec({
    command: ['node', '-p', '\0instance+3000\0'],
    env: { PORT: plain('\0instance+0\0') },
    health: { check, delayMs: 0, intervalMs: 10_000, timeoutMs: 1000, failures: 3, successes: 1 },
    stop: { ...none.stop, message: '{"a":1}', exec: ['pg_ctl', 'stop'] },
    restart: { ...none.restart, backoff: { ...none.restart.backoff, jitter: 0.2 }, successExitCodes: [0, 'SIGTERM'] },
    hooks: { ...none.hooks, preStop: hook },
    limits: { memoryBytes: 512 * 2 ** 20, cpu: 1.5 },
    attributes: { ...none.attributes, umask: 0o027, oomScoreAdj: 500, rlimits: { nofile: 4096, stack: 8 * 2 ** 20 } },
    restartsWith: ['db'],
    job: { retries: 3, run: 'always', timeoutMs: 600_000 },
    watch: { paths: ['/srv/src'], ignore: [], debounceMs: 200, action: 'reload' },
  })
  const { plan } = planOf({ file: { api: all }, applied: applied({ api: none }) })
  const lines = renderText(plan, { color: false, width: 200, apply: null }).split('\n')
  const shown = lines.filter((line) => line.startsWith('    ') && line.includes(' -> ')).map((line) => line.trim())
  expect(shown.map((line) => line.replaceAll(/ {2,}/g, '  '))).toMatchInlineSnapshot(`
    [
      "command  node server.js -> node -p '\${instance + 3000}'  roll",
      "env.PORT  (unset) -> "\${instance}"  roll",
      "health  (unset) -> tcp :\${instance + 3000} every 10s within 1s, 3 failures  live",
      "stop.exec  (unset) -> pg_ctl stop  live",
      "stop.message  (unset) -> {"a":1}  live",
      "restart.backoff.jitter  10% -> 20%  live",
      "restart.success_exit_codes  0 -> 0, "SIGTERM"  live",
      "hooks.pre_stop  (unset) -> sh -c true within 5s  live",
      "limits.cpu  (unset) -> 1.5  live",
      "limits.memory  (unset) -> 512M  live",
      "oom_score_adj  (unset) -> 500  roll",
      "ulimits.nofile  (unset) -> 4096  roll",
      "ulimits.stack  (unset) -> 8M  roll",
      "umask  022 -> 027  roll",
      "depends_on.*.restart  (none) -> "db"  live",
      "retries  0 -> 3  live",
      "run  "on_change" -> "always"  live",
      "timeout  (unset) -> 10m  live",
      "watch  (unset) -> "/srv/src"  live",
    ]
  `)
  const second = spec({
    ...all,
    health: { ...all.health!, failures: 5 },
    hooks: { ...all.hooks, preStop: { ...hook, command: ['x'] } },
  })
  const { plan: small } = planOf({ file: { api: second }, applied: applied({ api: all }) })
  const [change] = (renderJson(small, { ecoVersion: '0', exitCode: 2 }) as { changes: { fields: object[] }[] }).changes
  expect(change?.fields).toMatchObject([
    { path: 'health.failures', before: 3, after: 5 },
    { path: 'hooks.pre_stop.run', after: ['x'] },
  ])
})

test('the difference of two shortened values stays in sight', () => {
  const [one, other] = shortenPair(`${'x'.repeat(100)}1 tail`, `${'x'.repeat(100)}2 tail`, 24, '…')
  expect([one, other]).toEqual(['…xxxxxx1 tail', '…xxxxxx2 tail'])
  expect(shortenPair('a', 'b', 24, '…')).toEqual(['a', 'b'])
})

test('JSON keeps long values, names fields as the file does and hides secrets', () => {
  const json = renderJson(changed, { ecoVersion: '0.1.0', exitCode: diffExitCode(changed) })
  expect({ ...json, plan_id: 'p-41-…' }).toMatchInlineSnapshot(`
    {
      "applyable": true,
      "availability": [
        {
          "action": "roll",
          "apps": [
            "api",
          ],
          "effect": "no downtime: each new instance is ready before the old one stops",
        },
      ],
      "base": {
        "serial": 41,
      },
      "changes": [
        {
          "actions": [
            "create",
            "delete",
          ],
          "address": "shop/production/api",
          "app": "api",
          "fields": [
            {
              "after": null,
              "before": null,
              "fingerprints": [
                "3f9a",
                "81bc",
              ],
              "impact": "roll",
              "path": "env.KEY",
              "sensitive": true,
              "sources": [
                "env:KEY",
                "env:KEY",
              ],
            },
            {
              "after": "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/2",
              "before": "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/1",
              "impact": "roll",
              "path": "env.URL",
              "sensitive": false,
            },
            {
              "after": "15s",
              "before": "10s",
              "impact": "live",
              "path": "stop.timeout",
              "sensitive": false,
            },
          ],
          "from_version": 7,
          "impact": "roll",
          "kind": "update",
          "to_version": 8,
        },
      ],
      "complete": true,
      "desired": {
        "environment": "production",
        "file": "/srv/shop/ecosystem.yaml",
        "git": {
          "dirty": false,
          "sha": "9f3c2e1aa7f0c5d2b1e8",
        },
        "project": "shop",
      },
      "drift": [],
      "eco_version": "0.1.0",
      "ends_holds": [],
      "errored": false,
      "exit_code": 2,
      "format_version": "1.0",
      "guards": [],
      "only": null,
      "operations": [
        {
          "deps": [],
          "id": 1,
          "op": "start",
          "step": 1,
          "target": "api#0",
          "version": 8,
        },
        {
          "deps": [
            1,
          ],
          "id": 2,
          "op": "wait_ready",
          "step": 1,
          "target": "api#0",
          "version": 8,
        },
        {
          "deps": [
            2,
          ],
          "id": 3,
          "op": "stop",
          "step": 1,
          "target": "api#0",
          "version": 7,
        },
        {
          "deps": [
            3,
          ],
          "id": 4,
          "op": "wait_exit",
          "step": 1,
          "target": "api#0",
          "version": 7,
        },
      ],
      "plan_id": "p-41-…",
      "rollback_to": null,
      "steps": [
        {
          "action": "roll",
          "address": "shop/production/api",
          "after": [],
          "app": "api",
          "cause": "env.KEY, env.URL, stop.timeout changed",
          "from": 1,
          "gate": "ready: settled within 30s, and for 2s",
          "id": 1,
          "impact": "roll",
          "slots": [
            0,
          ],
          "to": 1,
          "trigger": "change",
        },
      ],
      "summary": {
        "create": 0,
        "destroy": 0,
        "drift": 0,
        "live": 0,
        "noop": 1,
        "restart": 0,
        "roll": 1,
        "scale": 0,
        "steps": 1,
      },
      "totals": {
        "apps": 2,
        "instances": 2,
      },
      "unchanged": [
        "idle",
      ],
      "verb": null,
      "warnings": [],
    }
  `)
})

test('Markdown is a fenced diff without fingerprints', () => {
  expect(renderMarkdown({ ...changed, id: 'p-41-…' }, { apply: 'eco apply' })).toMatchInlineSnapshot(`
    "### eco plan for \`shop/production\`: 1 change

    \`\`\`diff
    shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

    Changes
    > api  roll  v7 -> v8
        env.KEY       (secret env:KEY) -> (changed)                  roll
        env.URL       …aaaaaaaaaaaaaaaa/1" -> …aaaaaaaaaaaaaaaa/2"   roll
        stop.timeout  10s -> 15s                                     live

    Steps
    #1  roll api  replaces api#0
        env.KEY, env.URL, stop.timeout changed · ready: settled within 30s, and for 2s

    Plan p-41-…: 1 roll, 1 step, 1 unchanged
    roll api: no downtime: each new instance is ready before the old one stops
    Apply exactly this: eco apply
    \`\`\`
    "
  `)
})

test('durations are written with the largest unit that loses nothing', () => {
  expect([0, 150, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000].map(formatDuration)).toEqual([
    '0ms',
    '150ms',
    '1s',
    '1500ms',
    '1m',
    '90s',
    '1h',
    '1d',
  ])
})

test('slots in a row are written as a range', () => {
  expect(describeSlots('api', [0, 1])).toBe('api#0, api#1')
  expect(describeSlots('api', [0, 1, 2, 5, 4, 3])).toBe('api#0-2, api#5-3')
  expect(describeSlots('api', [1, 3, 2])).toBe('api#1, api#3, api#2')
})

describe('the exit code of a diff', () => {
  const state = applied({ api: before })
  const crashed = observed(state, { api: [instance(0, { state: 'backoff', restarts: 1 })] })

  test('is 0 without work, 2 with changes, 3 with drift only, 5 when refused', () => {
    expect(diffExitCode(planOf({ applied: state }).plan)).toBe(0)
    expect(diffExitCode(changed)).toBe(2)
    expect(diffExitCode(planOf({ applied: state, intent: verb('restart', ['api']) }).plan)).toBe(2)
    expect(diffExitCode(planOf({ applied: state, observed: crashed }).plan)).toBe(3)
    expect(diffExitCode(planOf({ applied: state, observed: observed(state, { api: [] }) }).plan)).toBe(3)
    expect(diffExitCode(planOf({ applied: state, file: {} }).plan)).toBe(5)
    expect(diffExitCode(planOf({ applied: state, file: {}, intent: { ...APPLY, allowEmpty: true } }).plan)).toBe(2)
  })
})

describe('plan', () => {
  test('refuses apps that nobody knows', () => {
    expect(() => planOf({ applied: applied({}), intent: { ...APPLY, only: ['ghost'] } })).toThrow('Internal error: ')
    expect(() => planOf({ applied: applied({}), intent: verb('stop', ['constructor']) })).toThrow('constructor')
  })

  test('refuses a cycle', () => {
    const file = { a: spec({ dependsOn: { b: 'ready' } }), b: spec({ dependsOn: { a: 'ready' } }), c: spec() }
    expect(() => planOf({ file })).toThrow('Internal error: the dependencies of a, b form a cycle')
  })

  test('records who holds an app, and gives a new app a version no leftover instance has', () => {
    const state = applied({ api: before })
    const { nextHolds } = planOf({ applied: state, intent: verb('scale', ['api'], { instances: 3 }) })
    expect(nextHolds).toEqual({ api: { instances: 3, verb: 'scale', by: 'deploy@tty1', at: NOW } })
    const seen = { apps: { young: { instances: [instance(0, { state: 'stopping', version: 4 })] } }, foreignPorts: [] }
    const { next } = planOf({ applied: state, file: { api: before, young: after }, observed: { ...seen } })
    expect(next['young']?.version).toBe(5)
  })

  test('takes a restart by the supervisor for what it is, and a stop for what it is', () => {
    const stopping = [instance(0, { state: 'stopping' })]
    const state = applied({ api: before })
    expect(planOf({ applied: state, observed: observed(state, { api: stopping }) }).plan.steps).toEqual([])
    const held = applied({ api: before }, { holds: { api: { instances: 0, verb: 'stop', by: 'me', at: NOW } } })
    const { plan } = planOf({ applied: held, observed: observed(held, { api: stopping }) })
    expect(plan.steps).toMatchObject([{ action: 'start', slots: [0] }])
  })

  test('does not start a second copy in a slot that is rolling', () => {
    const state = applied({ api: before })
    const rolling = [instance(0, { state: 'draining', version: 6 }), instance(0, { state: 'starting' })]
    expect(planOf({ applied: state, observed: observed(state, { api: rolling }) }).plan.steps).toEqual([])
  })
})
