/** A CLI and a daemon of neighbouring versions: they understand each other, or say which of the two is to be upgraded. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { buildEco, minProtocol, protocol } from '../support/other-eco.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

let builds: string
/** Understands this version's protocol, and speaks one more. */
let next: string
/** Speaks another one only. */
let far: string
/** Knows a setting of apps that this version does not. */
let extended: string
let older: string
beforeAll(async () => {
  builds = mkdtempSync(join(tmpdir(), 'eco-builds-'))
  next = await buildEco(builds, { version: '8.1.0', changes: [protocol(2)] })
  far = await buildEco(builds, { version: '8.2.0', changes: [protocol(3), minProtocol(3)] })
  older = await buildEco(builds, { version: '0.0.1' })
  extended = await buildEco(builds, {
    version: '8.3.0',
    changes: [{ file: 'model/defaults.ts', from: "order: 'ascending',", to: "order: 'ascending', waves: 1," }],
  })
})
afterAll(() => rmSync(builds, { recursive: true, force: true }))

/** A daemon of this eco.cjs, with one app. */
async function daemonOf(bin: string): Promise<Rig> {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { app: sleeper } })
  expect(await rig.eco(['apply', '--yes'], { bin })).toMatchObject({ code: 0 })
  return rig
}

async function pidsBy(rig: Rig, bin: string): Promise<number[]> {
  const listing = (await rig.eco(['ls', '--json'], { bin })).json()
  return listing.apps.flatMap((app: any) => app.instances.map((instance: any) => instance.pid))
}

describe('a newer command with an older daemon', () => {
  test('that it understands works, with one line where something changes', async () => {
    await using rig = await daemonOf(ECO)
    const { version } = (await rig.eco(['daemon', 'status', '--json'])).json()
    const listed = await rig.eco(['ls'], { bin: next })
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    const stopped = await rig.eco(['stop', 'app'], { bin: next })
    expect(stopped.code).toBe(0)
    const notices = stopped.stderr.split('\n').filter((line) => line.includes('eco daemon upgrade'))
    expect(notices).toEqual([
      `the daemon is eco ${version}, this is 8.1.0: eco daemon upgrade hands over, no app notices`,
    ])
    // Of the same version, nothing is said.
    expect((await rig.eco(['start', 'app'])).stderr).not.toContain('upgrade')
  })

  test('that does not understand it is told what to type, and that works', async () => {
    await using rig = await daemonOf(ECO)
    const before = await rig.pids('app')
    for (const args of [
      ['ls'],
      ['ls', 'app', '--json'],
      ['stop', 'app'],
      ['apply', '--yes'],
      ['diff'],
      ['logs', '--no-follow'],
    ]) {
      const refused = await rig.eco(args, { bin: far })
      expect(refused.code, args.join(' ')).toBe(5)
      expect(refused.stderr, args.join(' ')).toMatch(
        /speaks protocol 1, eco 8\.2\.0 speaks 3[^]*hint: upgrade the daemon.*eco daemon upgrade/,
      )
    }
    expect(await rig.eco(['daemon', 'upgrade'], { bin: far })).toMatchObject({ code: 0 })
    expect(await pidsBy(rig, far)).toEqual(before)
  })

  test.each([
    ['--upgrade', ['stop', 'app', '--upgrade'], {}],
    ['--upgrade before the command', ['--upgrade', 'apply', '--yes'], {}],
    ['ECO_UPGRADE=1', ['ls'], { ECO_UPGRADE: '1' }],
  ])('upgrades it on the way with %s', async (_, args, env) => {
    await using rig = await daemonOf(ECO)
    const old = await rig.daemonPid()
    const done = await rig.eco(args, { bin: far, env })
    expect(done.code).toBe(0)
    expect(done.stderr).toMatch(
      /^upgrading the daemon from eco .* to 8\.2\.0; no app notices\nthe daemon is eco 8\.2\.0 now, pid \d+\n/,
    )
    expect(done.stdout).not.toContain('upgrad')
    expect((await rig.eco(['daemon', 'status', '--json'])).json()).toMatchObject({ version: '8.2.0' })
    expect(await rig.daemonPid()).not.toBe(old)
    const again = await rig.eco(args, { bin: far, env })
    expect(again.stderr).not.toContain('upgrading')
  })

  test('that does not know a field of an app is refused, and not half understood', async () => {
    await using rig = await daemonOf(ECO)
    const before = await rig.pids('app')
    const refused = await rig.eco(['apply', '--yes'], { bin: extended })
    expect(refused.code).toBe(5)
    expect(refused.stderr).toMatch(/does not know "waves" of rollout of app app[^]*hint: .*eco daemon upgrade/)
    expect(await rig.pids('app')).toEqual(before)
    // What does not touch it goes on.
    expect(await rig.eco(['restart', 'app'], { bin: extended })).toMatchObject({ code: 0 })
    const upgraded = await rig.eco(['apply', '--yes', '--upgrade'], { bin: extended })
    expect(upgraded).toMatchObject({ code: 0 })
    expect(upgraded.stdout).toContain('No changes.')
  })
})

describe('an older command with a newer daemon', () => {
  test('that understands it works, and says which one to upgrade', async () => {
    await using rig = await daemonOf(next)
    const stopped = await rig.eco(['stop', 'app'])
    expect(stopped.code).toBe(0)
    expect(stopped.stderr).toMatch(/^the daemon is eco 8\.1\.0, newer than this eco .*: upgrade this one/m)
    expect((await rig.eco(['ls'])).stderr).toBe('')
  })

  test('that does not understand it says so, and never takes the daemon back', async () => {
    await using rig = await daemonOf(far)
    const daemon = await rig.daemonPid()
    for (const args of [['ls'], ['apply', '--yes'], ['ls', '--upgrade'], ['apply', '--yes', '--upgrade']]) {
      const refused = await rig.eco(args)
      expect(refused.code, args.join(' ')).toBe(5)
      expect(refused.stderr, args.join(' ')).toMatch(
        /speaks protocol 3, eco .* speaks 1[^]*hint: this eco is older than the daemon: upgrade it/,
      )
    }
    expect(await rig.daemonPid()).toBe(daemon)
  })

  test('that knows more about apps finds nothing to do: defaults stand for what the older one does not say', async () => {
    await using rig = await daemonOf(extended)
    const before = await pidsBy(rig, extended)
    const applied = await rig.eco(['apply', '--yes'])
    expect(applied).toMatchObject({ code: 0 })
    expect(applied.stdout).toContain('No changes.')
    expect(await rig.pids('app')).toEqual(before)
  })
})

test('an upgrade changes nothing that is applied, also from a version that knew less about apps', async () => {
  await using rig = await daemonOf(older)
  const before = await rig.pids('app')
  expect(await rig.eco(['daemon', 'upgrade'], { bin: extended })).toMatchObject({ code: 0 })
  expect(await rig.eco(['diff', '--exit-code'], { bin: extended })).toMatchObject({ code: 0 })
  expect(await pidsBy(rig, extended)).toEqual(before)
})
