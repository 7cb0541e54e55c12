import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  lastRun,
  NO_RUNS,
  openRun,
  type Run,
  type RunHistory,
  withOpen,
  withoutStart,
  withRun,
} from '../../src/model/runs.ts'
import { RunHistoryStore } from '../../src/state/run-history.ts'

const SCOPE = { project: 'shop', environment: 'default' }
const home = mkdtempSync(join(tmpdir(), 'eco-runs-'))
afterAll(() => rmSync(home, { recursive: true }))

function run(at: number, fields: Partial<Run> = {}): Run {
  const times = { scheduledAt: at, startedAt: at, endedAt: at + 5 }
  return {
    trigger: 'schedule',
    version: 1,
    outcome: 'completed',
    reason: null,
    exit: null,
    attempts: 1,
    count: 1,
    ...times,
    ...fields,
  }
}

const skipped = (at: number, fields: Partial<Run> = {}): Run =>
  run(at, { startedAt: null, endedAt: at, outcome: 'skipped', attempts: 0, ...fields })

describe('a history', () => {
  test('forgets its oldest runs, never the one that goes on, and never what speaks for the app', () => {
    let history: RunHistory = NO_RUNS
    for (const at of [10, 20, 30]) history = withRun(history, run(at), 2)
    expect(history.runs.map(({ scheduledAt }) => scheduledAt)).toEqual([20, 30])
    history = withRun(history, run(40, { endedAt: null, outcome: null }), 1)
    expect(history.runs.map(({ scheduledAt }) => scheduledAt)).toEqual([30, 40])
    history = withoutStart(history, skipped(50), 1)
    expect(openRun(history)).toMatchObject({ scheduledAt: 40 })
    expect(lastRun(history)).toMatchObject({ scheduledAt: 30 })
  })

  test('counts runs in a row that never started as one', () => {
    let history = withRun(NO_RUNS, run(10, { endedAt: null, outcome: null }), 10)
    for (const at of [20, 30, 40]) history = withoutStart(history, skipped(at), 10)
    expect(history.runs).toHaveLength(2)
    expect(history.runs[1]).toMatchObject({ outcome: 'skipped', count: 3, scheduledAt: 20, endedAt: 40 })
    history = withoutStart(history, skipped(50, { outcome: 'missed', count: 7 }), 10)
    history = withoutStart(history, skipped(60, { version: 2 }), 10)
    expect(history.runs.slice(2)).toMatchObject([
      { outcome: 'missed', count: 7 },
      { outcome: 'skipped', count: 1 },
    ])
  })

  test('ends the run that goes on, and nothing when none does', () => {
    const history = withRun(NO_RUNS, run(10, { endedAt: null, outcome: null }), 10)
    const ended = withOpen(history, { outcome: 'failed', endedAt: 12 })
    expect(lastRun(ended)).toMatchObject({ outcome: 'failed', endedAt: 12 })
    expect(withOpen(ended, { outcome: 'completed' })).toBe(ended)
  })
})

describe('the file of a history', () => {
  const store = new RunHistoryStore(home)
  const path = join(home, 'scopes/shop/default/runs/report.json')
  const unexpected = (reason: string): never => expect.fail(reason)

  test('gives back what was saved, to nobody else', () => {
    const history = { consideredUntil: 123, queuedAt: null, runs: [run(10), skipped(20)] }
    store.save(SCOPE, 'report', history)
    expect(store.load(SCOPE, 'report', unexpected)).toEqual(history)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    store.remove(SCOPE, 'report')
    expect(store.load(SCOPE, 'report', unexpected)).toEqual(NO_RUNS)
  })

  test.each([
    ['no JSON', '{"runs": ['],
    ['another format', '{"format": 2, "runs": []}'],
    ['no runs', '{"format": 1}'],
    ['null', 'null'],
  ])('with %s in it is said to be damaged, and begins anew', (_, text) => {
    store.save(SCOPE, 'report', NO_RUNS)
    writeFileSync(path, text)
    const told: string[] = []
    expect(store.load(SCOPE, 'report', (reason) => told.push(reason))).toEqual(NO_RUNS)
    expect(told).toMatchObject([expect.stringContaining(`${path} is damaged`)])
  })
})
