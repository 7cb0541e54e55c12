import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EventWriter } from '../../src/daemon/event-writer.ts'
import type { EcoEvent, StoredEvent } from '../../src/model/events.ts'
import { endOfEvents, eventFile, KEPT_EVENT_FILES, readEventFile } from '../../src/state/event-files.ts'
import { EventTail, latest, mergeByTime, storedEvents } from '../../src/state/event-reader.ts'

const SCOPE = { project: 'shop', environment: 'default' }
const ALL = { since: null, until: null, limit: null, matches: () => true }

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'eco-events-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return home
}

function event(message: string, app = 'api', at = Date.now()): EcoEvent {
  const data = { pid: 7 }
  return { type: 'instance', event: 'started', at, scope: 'shop/default', app, instance: `${app}#0`, message, data }
}

const numbers = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq)
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

describe('the writer', () => {
  test('numbers events and stores them as the contract says, for nobody else to read', async () => {
    const home = newHome()
    const writer = new EventWriter(home, SCOPE)
    writer.append(event('started, pid 7', 'api', Date.UTC(2026, 0, 2)))
    writer.append({ type: 'scope', event: 'problem', at: Date.UTC(2026, 0, 3), scope: 'shop/default', message: 'oh' })
    await writer.drained()
    expect(readEventFile(eventFile(home, SCOPE))).toEqual([
      {
        format_version: '1.0',
        seq: 1,
        at: '2026-01-02T00:00:00.000Z',
        scope: 'shop/default',
        event: 'started',
        app: 'api',
        instance: 'api#0',
        message: 'started, pid 7',
        data: { pid: 7 },
      },
      {
        format_version: '1.0',
        seq: 2,
        at: '2026-01-03T00:00:00.000Z',
        scope: 'shop/default',
        event: 'problem',
        app: null,
        instance: null,
        message: 'oh',
        data: {},
      },
    ])
    expect(statSync(eventFile(home, SCOPE)).mode & 0o777).toBe(0o600)
  })

  test('the next one goes on counting, behind a line that a crash has torn too', async () => {
    const home = newHome()
    for (const round of [1, 2, 3]) {
      const writer = new EventWriter(home, SCOPE)
      writer.append(event(`round ${round}`))
      await writer.drained()
      if (round === 2) appendFileSync(eventFile(home, SCOPE), '{"format_version":"1.0","seq":3,"at":"20')
    }
    const { events, last } = storedEvents(home, SCOPE, ALL)
    expect(events.map(({ message }) => message)).toEqual(['round 1', 'round 2', 'round 3'])
    expect(numbers(events)).toEqual([1, 2, 3])
    expect(last).toBe(3)
  })

  test('rotates by size and keeps three files, without a gap between them', async () => {
    const home = newHome()
    const writer = new EventWriter(home, SCOPE, 10_000)
    for (let i = 0; i < 400; i++) {
      writer.append(event(`number ${i}`))
      if (i % 10 === 0) await writer.drained()
    }
    await writer.drained()
    for (let age = 0; age <= KEPT_EVENT_FILES; age++) {
      expect(statSync(eventFile(home, SCOPE, age)).size).toBeLessThanOrEqual(10_000)
    }
    expect(existsSync(eventFile(home, SCOPE, KEPT_EVENT_FILES + 1))).toBe(false)
    const { events } = storedEvents(home, SCOPE, ALL)
    expect(events.length).toBeGreaterThan(120)
    expect(numbers(events)).toEqual(upTo(400, 401 - events.length))
    expect(endOfEvents(home, SCOPE)).toEqual({ seq: 400, isTorn: false })
  })

  test('keeps a thousand events that cannot be written, tells of it once, and of the loss when they can', async () => {
    const home = newHome()
    const scopes = join(home, 'scopes')
    writeFileSync(scopes, 'in the way') // ENOTDIR, for whoever writes below it
    const writer = new EventWriter(home, SCOPE)
    const count = 1500
    for (let i = 1; i <= count; i++) {
      writer.append(event(`number ${i}`))
      if (i % 100 === 0) await writer.drained()
    }
    await writer.drained()
    expect(writer.pending.length).toBe(1000)
    expect(writer.problem).toMatch(/events of shop\/default cannot be written: ENOTDIR.* 1000 are kept.* 500 are lost/)
    rmSync(scopes)
    await expect.poll(() => writer.problem, { timeout: 5000 }).toBe(null)
    await writer.drained()
    const { events } = storedEvents(home, SCOPE, ALL)
    expect(numbers(events)).toEqual(upTo(count + 1, 501))
    expect(events.at(-1)).toMatchObject({ event: 'events_resumed', app: null, data: { lost: 500 } })
  })
})

describe('the reader', () => {
  test('selects by time, by number and by what matches', async () => {
    const home = newHome()
    const writer = new EventWriter(home, SCOPE, 5000)
    for (let i = 1; i <= 60; i++) {
      writer.append(event(`number ${i}`, i % 2 ? 'odd' : 'even', 1_000_000 + i * 1000))
      await writer.drained()
    }
    const read = (query: Partial<Parameters<typeof storedEvents>[2]>): number[] =>
      numbers(storedEvents(home, SCOPE, { ...ALL, ...query }).events)
    expect(read({ since: 1_050_000 })).toEqual(upTo(60, 50))
    expect(read({ since: 1_010_000, until: 1_012_000 })).toEqual([10, 11, 12])
    expect(read({ limit: 3 })).toEqual([58, 59, 60])
    expect(read({ limit: 0 })).toEqual([])
    expect(read({ matches: ({ app }) => app === 'even', limit: 40 }).length).toBe(30)
  })

  test('a scope stays in its order when its clock was set back', () => {
    const at = (seq: number, second: number, scope: string): StoredEvent =>
      ({ seq, at: new Date(second * 1000).toISOString(), scope }) as StoredEvent
    const merged = mergeByTime([
      [at(1, 10, 'a'), at(2, 5, 'a'), at(3, 20, 'a')],
      [at(1, 7, 'b'), at(2, 15, 'b')],
    ])
    expect(merged.map(({ scope, seq }) => `${scope}${seq}`)).toEqual(['b1', 'a1', 'a2', 'b2', 'a3'])
  })

  test('whoever follows misses nothing and sees nothing twice, however often the file is rotated meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.boolean()), { maxLength: 40 }),
        fc.integer({ min: 0, max: 20 }),
        async (bursts, before) => {
          const home = newHome()
          // Small enough that a burst may rotate twice, large enough that the kept files hold it.
          const writer = new EventWriter(home, SCOPE, 4000)
          for (let i = 0; i < before; i++) writer.append(event('before'))
          await writer.drained()
          const { events, last } = storedEvents(home, SCOPE, ALL)
          const seen = numbers(latest(events, 5))
          const tail = new EventTail(home, SCOPE, last)
          let count = before
          for (const [burst, looks] of bursts) {
            for (let i = 0; i < burst; i++) writer.append(event('during'))
            count += burst
            if (burst > 0) await writer.drained()
            // What is written within one look must still be there: three files of it.
            if (looks || burst > 0) seen.push(...numbers(tail.next()))
          }
          seen.push(...numbers(tail.next()))
          tail.close()
          expect(seen).toEqual(upTo(count, Math.max(1, before - 4)))
        },
      ),
      { numRuns: 60 },
    )
  })
})
