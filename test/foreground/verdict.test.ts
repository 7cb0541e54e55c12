import { describe, expect, test } from 'vitest'
import { type AppNow, type InstanceNow, type RunVerdict, verdictOf } from '../../src/foreground/verdict.ts'

function app(name: string, states: InstanceNow['state'][], more: Partial<AppNow> = {}): AppNow {
  const instances = states.map((state, slot) => ({ instance: `${name}#${slot}`, state }))
  return { app: name, kind: 'service', wanted: instances.length, isWatched: false, instances, ...more }
}

const lives = app('web', ['lives'])
const broken = app('api', ['lives', 'failed'])

describe('whether a run goes on', () => {
  const cases: [what: string, apps: AppNow[], keepGoing: boolean, RunVerdict][] = [
    ['while something lives', [lives, app('job', ['succeeded'], { kind: 'job' })], false, { type: 'goes-on' }],
    [
      'when all have ended well',
      [app('a', ['succeeded']), app('b', ['succeeded'])],
      false,
      { type: 'ended', failed: [] },
    ],
    ['with no app at all', [], false, { type: 'ended', failed: [] }],
    ['with an app of no instances', [app('a', [])], false, { type: 'ended', failed: [] }],
    ['when one has failed beside others', [lives, broken], false, { type: 'failed', failed: ['api#1'] }],
    ['when one has failed, and the others are to go on', [lives, broken], true, { type: 'goes-on' }],
    [
      'when all have ended, and one not well',
      [app('a', ['failed']), app('b', ['succeeded'])],
      true,
      { type: 'ended', failed: ['a#0'] },
    ],
    [
      'when a job has failed',
      [lives, app('job', ['failed'], { kind: 'job' })],
      false,
      { type: 'failed', failed: ['job#0'] },
    ],
    ['when a run of a cron app has failed', [app('c', ['failed'], { kind: 'cron' })], false, { type: 'goes-on' }],
    ['when a cron app is all there is', [app('c', [], { kind: 'cron', wanted: 1 })], false, { type: 'goes-on' }],
    ['when a watched app has failed', [app('a', ['failed'], { isWatched: true })], false, { type: 'goes-on' }],
    [
      'when a watched app has ended well',
      [app('a', ['succeeded'], { isWatched: true })],
      false,
      { type: 'ended', failed: [] },
    ],
    ['when an operator has stopped what there was', [app('a', ['held'])], false, { type: 'goes-on' }],
    ['when one waits for what lives', [lives, app('b', [], { wanted: 2 })], false, { type: 'goes-on' }],
    [
      'when one waits for what has ended',
      [app('a', ['succeeded']), app('b', [], { wanted: 2 })],
      false,
      { type: 'stuck', waiting: ['b'] },
    ],
  ]
  test.each(cases)('%s', (_, apps, keepGoing, verdict) => {
    expect(verdictOf(apps, keepGoing)).toEqual(verdict)
  })
})
