import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Probe } from '../../src/model/spec.ts'
import { watchLife } from '../../src/supervisor/life-watch.ts'
import { reserveStart } from '../../src/supervisor/probes/pacing.ts'
import { eventually, startChild } from './children.ts'
import { httpCheck, httpServer, openFiles, subjectOf, tcp } from './probes/subjects.ts'

let dir: string
let end: () => void = () => {}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'eco-life-'))
})
afterEach(() => {
  end()
  rmSync(dir, { recursive: true })
})

interface Seen {
  readonly readiness: (string | null)[]
  readonly faults: string[]
  readonly notes: (string | null)[]
}

interface Server {
  readonly pid: number
  readonly port: number
  readonly answer: (status: number | 'hang') => void
  /** How often it was asked. */
  readonly asked: () => number
}

/** A server whose status is what it was told last. */
async function server(): Promise<Server> {
  const [status, log] = [join(dir, 'status'), join(dir, 'log')]
  const answer = (value: number | 'hang') => writeFileSync(status, String(value))
  answer(200)
  writeFileSync(log, '')
  const { child, port } = await httpServer(
    `const fs = require('fs'); fs.appendFileSync('${log}', 'x'); const status = fs.readFileSync('${status}', 'utf8')
     if (status === 'hang') return
     res.statusCode = Number(status); res.end()`,
  )
  return { pid: child.pid, port, answer, asked: () => readFileSync(log, 'utf8').length }
}

function probe(port: number, fields: Partial<Probe> = {}): Probe {
  const times = { delayMs: 0, intervalMs: 40, timeoutMs: 1000, failures: 3, successes: 1 }
  return { check: httpCheck(tcp(port)), ...times, ...fields }
}

function watch(spec: { readiness?: Probe; health?: Probe }, pid: number, isReady = true): Seen {
  const seen: Seen = { readiness: [], faults: [], notes: [] }
  end = watchLife(
    { readiness: null, health: null, ...spec },
    { ...subjectOf(pid), isStarting: false, isReady },
    {
      readiness: (reason) => seen.readiness.push(reason),
      fault: (reason) => seen.faults.push(reason),
      note: (reason) => seen.notes.push(reason),
    },
  )
  return seen
}

test('health: after so many failures in a row, once, and then it asks no more', async () => {
  const { pid, port, answer, asked } = await server()
  const seen = watch({ health: probe(port) }, pid)
  await eventually(() => asked() >= 5)
  expect(seen).toEqual({ readiness: [], faults: [], notes: [] })
  answer(503)
  await eventually(() => seen.faults.length > 0)
  const what = `health: http 127.0.0.1:${port}/healthz answered 503`
  expect(seen.notes).toEqual([`${what} (1 of 3)`, `${what} (2 of 3)`])
  expect(seen.faults).toEqual([`${what} (3 of 3)`])
  const before = asked()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(asked()).toBe(before)
})

test('health: a success in between begins the count again', async () => {
  const { pid, port, answer } = await server()
  const seen = watch({ health: probe(port, { intervalMs: 150, failures: 2 }) }, pid)
  for (let i = 0; i < 3; i++) {
    const { length } = seen.notes
    answer(500)
    await eventually(() => seen.notes.length > length)
    answer(200)
    await eventually(() => seen.notes.at(-1) === null)
  }
  expect(seen.faults).toEqual([])
})

test('health: an endpoint that hangs fails, one attempt after the other', async () => {
  const { pid, port, answer, asked } = await server()
  answer('hang')
  const seen = watch({ health: probe(port, { timeoutMs: 150, failures: 2, intervalMs: 10 }) }, pid)
  await eventually(() => seen.faults.length > 0)
  expect(seen.faults).toEqual([`health: http 127.0.0.1:${port}/healthz gave no answer within 0.15s (2 of 2)`])
  expect(asked()).toBe(2)
})

test('readiness: not ready at first, ready when it passes, and back and forth by its thresholds', async () => {
  const { pid, port, answer } = await server()
  const seen = watch({ readiness: probe(port, { failures: 2, successes: 2 }) }, pid, false)
  await eventually(() => seen.readiness.length === 1)
  expect(seen.readiness).toEqual([null])
  answer(503)
  await eventually(() => seen.readiness.length >= 2)
  const what = `readiness: http 127.0.0.1:${port}/healthz answered 503`
  expect(seen.readiness[1]).toBe(`${what} (2 of 2)`)
  answer(200)
  await eventually(() => seen.readiness.at(-1) === null)
  expect(seen.notes).toContain('readiness: passed (1 of 2)')
  expect(seen.notes).toContain(`${what} (1 of 2)`)
  expect(seen.faults).toEqual([])
})

test('readiness: without its probe it is ready', async () => {
  const seen = watch({}, process.pid, false)
  expect(seen.readiness).toEqual([null])
})

test('the first attempt comes after the delay', async () => {
  const { pid, port, asked } = await server()
  const started = Date.now()
  watch({ health: probe(port, { delayMs: 400, intervalMs: 5000 }) }, pid)
  await eventually(() => asked() === 1)
  expect(Date.now() - started).toBeGreaterThanOrEqual(390)
})

test('the answer of a stranger is a failure', async () => {
  const { port } = await server()
  const other = startChild(['sleep', '30'])
  const seen = watch({ health: probe(port, { failures: 1 }) }, other.pid)
  await eventually(() => seen.faults.length > 0)
  expect(seen.faults[0]).toContain('which is not this instance')
})

test('ended while an attempt hangs, it says nothing more and leaves nothing', async () => {
  const { pid, port, answer, asked } = await server()
  answer('hang')
  const before = openFiles()
  const seen = watch({ health: probe(port, { timeoutMs: 60_000, failures: 1 }) }, pid)
  await eventually(() => asked() === 1)
  end()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(openFiles()).toBeLessThanOrEqual(before)
  expect(seen).toEqual({ readiness: [], faults: [], notes: [] })
})

test('a hundred attempts that are due at once start apart', () => {
  const starts = Array.from({ length: 100 }, () => reserveStart())
  const gaps = starts.slice(1).map((start, i) => start - (starts[i] ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThan(1.9)
})
