/** Output that no log should have: nobody who reads it grows, hangs, or hands control characters to a terminal. */

import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const MEGABYTES = 100

const says = (...args: string[]): readonly string[] => ['node', fixture('says-terrible-things.mjs'), ...args]

/** Newlines are ours. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/

function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

async function expectClean(rig: Rig, ...commands: string[][]): Promise<void> {
  for (const command of commands) {
    const { stdout, stderr } = await rig.eco(command)
    const name = command.join(' ')
    // Whoever reads JSON takes the characters as what they are.
    const shown = command.includes('--json') ? stdout.replace(/[\u007f-\u009f\u202e]/g, '') : stdout
    expect(CONTROL.exec(shown)?.[0], `stdout of eco ${name}`).toBe(undefined)
    expect(CONTROL.exec(stderr)?.[0], `stderr of eco ${name}`).toBe(undefined)
    expect(stdout.length, name).toBeLessThan(2 ** 20)
  }
}

const READERS = [
  ['ls'],
  ['describe', 'app'],
  ['describe', 'app', '--json'],
  ['events', 'app'],
  ['events', '--json'],
  ['doctor', '--verbose'],
  ['doctor', '--json'],
]

test('an app that fails with them is told of without them', async () => {
  await using rig = await createRig()
  const app = { command: says(String(MEGABYTES), 'ends'), restart: { max: 0 }, ready: { delay: '60s' } }
  const apply = await rig.apply({ apps: { app } })
  expect(apply.code).not.toBe(0)
  expect(apply.stdout + apply.stderr).toContain('exited with code 3')
  expect(apply.stdout + apply.stderr).toContain(String.raw`\u001b]0;owned`)
  expect(apply.stdout + apply.stderr).not.toMatch(CONTROL)
  expect((apply.stdout + apply.stderr).length).toBeLessThan(2 ** 20)
  // A daemon that was slow to see the end has cut the line in two by then.
  const log = join(rig.home, 'scopes/demo/default/logs/app-0.out.log')
  const written = (): number => readLedger(rig.home, log).base + statSync(log).size
  await eventually(() => expect(written()).toBeGreaterThan(MEGABYTES * 2 ** 20))
  await expectClean(rig, ...READERS)
  expect(peakMegabytes(await rig.daemonPid())).toBeLessThan(150)
})

test('a line that says ready is found behind 100 MB without a newline', async () => {
  await using rig = await createRig()
  const app = { command: says(String(MEGABYTES)), ready: { log: '/^ready at last$/', timeout: '60s' } }
  const begun = performance.now()
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  expect((performance.now() - begun) / 1000).toBeLessThan(40)
  await expectClean(rig, ...READERS)
  expect(peakMegabytes(await rig.daemonPid())).toBeLessThan(150)
})

const sleeper = ['sleep', '1000']
const once = { restart: { max: 1 } }
/** A busy machine needs its time to start a program. */
const often = { interval: '200ms', failures: 1, timeout: '15s' }

test.each<[string, object]>([
  ['hook', { command: sleeper, ...once, hooks: { pre_start: says('1', 'ends') } }],
  ['ready check', { command: sleeper, restart: { max: 0 }, ready: { exec: says('0', 'ends'), timeout: '6s' } }],
  ['health check', { command: sleeper, ...once, health: { exec: says('0', 'ends'), ...often } }],
  ['job', { kind: 'job', command: says('1', 'ends') }],
])('a %s that says them', async (_, app) => {
  await using rig = await createRig()
  const { stdout, stderr } = await rig.apply({ apps: { app } })
  expect(CONTROL.exec(stdout + stderr)?.[0], stdout + stderr).toBe(undefined)
  await eventually(async () => expect((await rig.eco(['events', 'app'])).stdout).toMatch(/code 3/), 20_000)
  await expectClean(rig, ...READERS)
})

test('an event that holds them, of an eco that let them through, is shown without', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: { app: { command: sleeper } } })).toMatchObject({ code: 0 })
  const events = join(rig.home, 'scopes/demo/default/events.ndjson')
  const [last = ''] = readFileSync(events, 'utf8').trim().split('\n').slice(-1)
  const about = { seq: 1000, event: 'note', app: 'app', instance: 'app#0' }
  const evil = { ...JSON.parse(last), ...about, message: '\u001b]0;owned\u0007 \u009b2J\u202e' }
  appendFileSync(events, `${JSON.stringify(evil)}\n`)
  expect((await rig.eco(['logs', '--no-follow'])).stdout).toContain(String.raw`\u001b]0;owned`)
  await expectClean(rig, ['logs', '--no-follow'], ['logs', '--no-follow', '--json'], ...READERS)
})
