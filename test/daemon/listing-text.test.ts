import { stripVTControlCharacters } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, duration, renderListing } from '../../src/daemon/listing-text.ts'
import type { ListedApp, ListedInstance, Listing } from '../../src/daemon/protocol.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

function instance(slot: number, fields: Partial<ListedInstance> = {}): ListedInstance {
  return {
    id: `api#${slot}`,
    slot,
    pid: 4000 + slot,
    state: 'running',
    ready: true,
    version: 1,
    started_at: new Date(NOW - 3_600_000 * 2).toISOString(),
    restarts: 0,
    recent_restarts: 0,
    next_attempt_at: null,
    cpu_percent: 1.25,
    cpu_window_ms: 1500,
    memory_bytes: 48_100_000,
    last_exit: null,
    reason: null,
    ...fields,
  }
}

function app(name: string, instances: readonly ListedInstance[], fields: Partial<ListedApp> = {}): ListedApp {
  return {
    project: 'shop',
    environment: 'production',
    app: name,
    kind: 'service',
    wanted: instances.length,
    ready: instances.length,
    state: 'running',
    reason: null,
    revision: 41,
    version: 1,
    hold: null,
    listen: [],
    rollout: null,
    schedule: null,
    next_run_at: null,
    last_run: null,
    instances,
    ...fields,
  }
}

const listing = (...apps: ListedApp[]): Listing => ({ format_version: '1.0', daemon: { pid: 1, version: '0' }, apps })
const table = (of: Listing, width = 120): string => `\n${renderListing(of, { color: false, width, now: NOW })}`

const SHOP = listing(
  app('api', [instance(0), instance(1, { restarts: 2, cpu_percent: 12.5 })], { listen: [3000, '127.0.0.1:3001'] }),
  app('mailer', [instance(0, { cpu_percent: null, memory_bytes: null })]),
  app('report', [], { kind: 'cron', state: 'scheduled', wanted: 0, ready: 0, next_run_at: '2026-01-03T03:00:00.000Z' }),
  app('web', [], {
    environment: 'staging',
    wanted: 2,
    ready: 0,
    state: 'stopped',
    revision: 0,
    hold: { verb: 'stop', instances: 0, by: 'ann@tty1', at: '2026-01-01T00:00:00.000Z', until: null },
  }),
)

describe('the table', () => {
  test('groups instances under their app and apps under their scope', () => {
    expect(table(SHOP)).toBe(`
shop/production
app     ready  state            pid       uptime  restarts    cpu  memory  port                 rev
api       2/2  running                                   2  13.8%   91.7M  3000 127.0.0.1:3001   41
 ├ #0          running         4000           2h         0   1.3%   45.9M
 └ #1          running         4001           2h         2    13%   45.9M
mailer    1/1  running         4000           2h         0                                       41
report      -  scheduled             next 03:00Z                                                 41

shop/staging
app     ready  state            pid       uptime  restarts    cpu  memory  port                 rev
web       0/2  stopped (held)

web: stopped by ann@tty1; the next apply ends this (eco start web)
`)
  })

  test('drops the columns that matter least when the terminal is narrow', () => {
    const titles = (width: number): string | undefined => table(SHOP, width).split('\n')[2]?.replaceAll(/ +/g, ' ')
    expect(titles(90)).toBe('app ready state pid uptime restarts memory port')
    expect(titles(60)).toBe('app ready state pid port')
    expect(titles(40)).toBe('app ready state pid')
    expect(titles(10)).toBe('app ready state')
  })

  test('no row is wider than the terminal, down to 35 columns', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    fc.assert(
      fc.property(fc.array(name, { minLength: 1 }), fc.integer({ min: 35, max: 200 }), (names, width) => {
        const text = table(
          listing(...names.map((it) => app(it, [instance(0), instance(1, { restarts: 12_345 })]))),
          width,
        )
        for (const line of text.split('\n').slice(2)) expect(line.length).toBeLessThanOrEqual(width)
      }),
    )
  })

  test('colours change nothing but the colours', () => {
    const colored = renderListing(SHOP, { color: true, width: 120, now: NOW })
    expect(colored).toContain('\u001B[32mrunning\u001B[0m')
    expect(`\n${stripVTControlCharacters(colored)}`.replaceAll(/ +$/gm, '')).toBe(table(SHOP))
  })

  test('says under the table why an app is not as it should be', () => {
    const notes = table(
      listing(
        app('api', [instance(0, { state: 'failed' })], { state: 'failed', reason: 'exited with code 1: 16 restarts' }),
        app('slow', [instance(0)], { state: 'starting', reason: 'tcp 127.0.0.1:1: ECONNREFUSED' }),
        app('held', [instance(0)], { hold: { verb: 'scale', instances: 1, by: 'ann', at: '', until: null } }),
      ),
    )
    expect(notes.split('\n').slice(-4)).toEqual([
      'api: exited with code 1: 16 restarts  next: eco logs api',
      'slow: tcp 127.0.0.1:1: ECONNREFUSED',
      'held: scaled to 1 by ann; the next apply ends this',
      '',
    ])
  })

  test('running is not ready, and a pause says when it is over', () => {
    const text = table(
      listing(
        app('api', [instance(0, { ready: false, reason: 'http /: 503' })], { ready: 0, reason: 'http /: 503' }),
        app('web', [instance(0, { state: 'backoff', next_attempt_at: new Date(NOW + 3200).toISOString() })], {
          state: 'backoff',
          reason: 'exited with code 1',
        }),
      ),
    )
    expect(text).toMatch(/^api +0\/1 +unready /m)
    expect(text).toContain('\napi: http /: 503\n')
    expect(text).toContain('\nweb: exited with code 1, next attempt in 3s\n')
  })

  test('an empty listing says what to do next', () => {
    expect(table(listing())).toContain('Next: eco apply')
  })
})

describe('plain rows', () => {
  test('one instance a line, every column, nothing but spaces between them', () => {
    expect(`\n${renderListing(SHOP, { color: true, width: null, now: NOW })}`).toBe(`
shop/production/api#0 2/2 running 4000 2h 0 1.3% 45.9M 3000,127.0.0.1:3001 41
shop/production/api#1 2/2 running 4001 2h 2 13% 45.9M 3000,127.0.0.1:3001 41
shop/production/mailer#0 1/1 running 4000 2h 0 - - - 41
shop/production/report - scheduled - - - - - - 41
shop/staging/web 0/2 stopped - - - - - - 0
`)
  })

  test('nothing is nothing', () => {
    expect(renderListing(listing(), { color: false, width: null, now: NOW })).toBe('')
  })
})

test.each([
  [-5, '0s'],
  [99_999, '99s'],
  [100_000, '1m'],
  [5_999_999, '99m'],
  [6_000_000, '1h'],
  [359_999_999, '99h'],
  [360_000_000, '4d'],
])('%i ms is %s', (ms, text) => expect(duration(ms)).toBe(text))

test.each([
  [0, '0K'],
  [1536, '2K'],
  [48_100_000, '45.9M'],
  [2 ** 30, '1.0G'],
])('%i bytes are %s', (count, text) => expect(bytes(count)).toBe(text))

describe('a cron app whose last run failed', () => {
  const backup = listing(
    app('backup', [], {
      kind: 'cron',
      state: 'scheduled',
      reason: 'last run failed: exited with code 4',
      wanted: 0,
      ready: 0,
      next_run_at: '2027-01-01T00:00:00.000Z',
      last_run: {
        trigger: 'schedule',
        version: 1,
        scheduled_at: '2026-01-01T00:00:00.000Z',
        started_at: '2026-01-01T00:00:00.000Z',
        ended_at: '2026-01-01T00:00:02.000Z',
        duration_ms: 2000,
        outcome: 'failed',
        reason: 'exited with code 4',
        exit: null,
        attempts: 1,
        count: 1,
      },
    }),
  )

  test('does not pass for a healthy one', () => {
    expect(table(backup)).toMatchInlineSnapshot(`
      "
      shop/production
      app     ready  state               pid           uptime  restarts  cpu  memory  port  rev
      backup      -  scheduled (failed)       next 2027-01-01                                41

      backup: last run failed: exited with code 4  next: eco logs backup
      "
    `)
  })

  test('nor in rows for scripts', () => {
    expect(renderListing(backup, { color: false, width: null, now: NOW })).toMatchInlineSnapshot(`
      "shop/production/backup - scheduled(failed) - - - - - - 41
      "
    `)
  })
})
