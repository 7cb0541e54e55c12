import { expect, test } from 'vitest'
import { isShown, latestOfEach, placeMarkers } from '../../../src/cli/logs/markers.ts'
import { LineClock } from '../../../src/logs/read/line-clock.ts'
import type { EventName, StoredEvent } from '../../../src/model/events.ts'
import { RotatingLog } from '../../logs/read/rotating-log.ts'

const T = Date.UTC(2026, 0, 31, 18)
let seq = 0

function event(name: EventName, at: number, about: Partial<StoredEvent> = {}): StoredEvent {
  const time = new Date(T + at).toISOString()
  const common = {
    format_version: '1.0',
    seq: ++seq,
    at: time,
    scope: 'shop/default',
    message: name,
    data: {},
  } as const
  return { ...common, event: name, app: 'api', instance: 'api#0', ...about }
}

test('a start stands before the first line of its run, an end behind the last one', () => {
  const log = new RotatingLog()
  log.point(T, 'start')
  log.point(T + 1000, 'end')
  log.point(T + 1010, 'start')
  log.point(T + 2000, 'end')
  const clock = new LineClock(log.home, log.path, { from: -Infinity, to: Infinity })
  const events = [event('started', 30), event('restarting', 998), event('started', 1050), event('failed', 2005)]
  const placed = placeMarkers(events, () => clock)
  expect(placed.map(({ event: { event: name }, time }) => [name, time - T])).toEqual([
    ['started', 0],
    ['restarting', 1000],
    ['started', 1010],
    ['failed', 2005],
  ])
})

test('a run on a schedule that is announced before it starts is not put to the start of the one before', () => {
  const log = new RotatingLog()
  log.point(T, 'start')
  log.point(T + 100, 'end')
  log.point(T + 2010, 'start')
  const clock = new LineClock(log.home, log.path, { from: -Infinity, to: Infinity })
  const events = [event('run_ended', 110), event('run_started', 2000), event('started', 2020)]
  const placed = placeMarkers(events, () => clock)
  expect(placed.map(({ event: { event: name }, time }) => [name, time - T])).toEqual([
    ['run_ended', 110],
    ['run_started', 2000],
    ['started', 2010],
  ])
})

test('without an index they have the time of their event, and those of one instance keep their order', () => {
  const events = [event('restarting', 500), event('started', 400), event('ready', 450, { instance: 'api#1' })]
  expect(placeMarkers(events, () => null, events[1]).map(({ time, isMeant }) => [time - T, isMeant])).toEqual([
    [450, false],
    [500, false],
    [500, true],
  ])
})

test('the latest of each instance, app and scope', () => {
  const about = [{}, { instance: 'api#1' }, {}, { instance: null }, { app: null, instance: null }, {}]
  const markers = placeMarkers(
    about.map((it, i) => event('note', i, it)),
    () => null,
  )
  expect(latestOfEach(markers, 1).map(({ time }) => time - T)).toEqual([1, 3, 4, 5])
  expect(latestOfEach(markers, null)).toHaveLength(6)
})

test.each<[EventName, Record<string, unknown>, boolean]>([
  ['started', {}, true],
  ['failed', {}, true],
  ['step_started', { action: 'roll' }, true],
  ['step_started', { action: 'start' }, false],
  ['step_progress', { action: 'roll' }, false],
  ['apply_ended', {}, false],
])('%s %j is shown: %s', (name, data, expected) => {
  expect(isShown(event(name, 0, { data }))).toBe(expected)
})
