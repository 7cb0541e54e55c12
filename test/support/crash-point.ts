/** One scenario with a crash of the daemon at one point, and what must be so afterwards. */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import http from 'node:http'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import type { ListedApp } from '../../src/daemon/protocol.ts'
import { type CrashRig, createCrashRig, type Side } from './crash-rig.ts'
import { eventually } from './eventually.ts'
import { isRunning, kill } from './processes.ts'
import type { EcoResult } from './rig.ts'

/** What runs: the VERSION of each slot of each app. */
export type World = Readonly<Record<string, readonly string[]>>

export interface Scenario {
  readonly name: string
  /** The file that is applied before; null: nothing is. */
  readonly from: object | null
  readonly setup?: (rig: CrashRig) => Promise<void>
  /** What is done while the daemon crashes. */
  readonly act: (rig: CrashRig) => Promise<EcoResult>
  /** What may run once the next daemon has had its time. The first is what was applied before. */
  readonly allowed: readonly { readonly world: World; readonly file?: object }[]
  /** The file that is applied in the end, and what runs then. */
  readonly to: object
  readonly end: World
  readonly port?: number
  /** The daemon that crashes is one that takes over what runs. */
  readonly isBoot?: boolean
  /** The address is given up on purpose. */
  readonly mayRefuse?: boolean
  readonly check?: (rig: CrashRig) => void
}

export interface Outcome {
  readonly trace: readonly string[]
  readonly crashedAt: string | null
  readonly command: EcoResult
}

const SETTLE_MS = 15_000

export async function crashAt(scenario: Scenario, at: number, side: Side): Promise<Outcome> {
  await using rig = await createCrashRig()
  let where = 'before the crash'
  try {
    let daemon = await rig.startDaemon(scenario.isBoot ? 0 : at, side)
    if (scenario.from !== null) expect(await rig.apply(scenario.from)).toMatchObject({ code: 0 })
    await scenario.setup?.(rig)
    await using poller = scenario.port !== undefined && scenario.from !== null ? pollPort(scenario.port) : null
    if (scenario.isBoot) {
      kill(daemon)
      await eventually(() => !isRunning(daemon))
      daemon = await rig.startDaemon(at, side, true)
    } else rig.arm()
    const command = await scenario.act(rig)
    // What a daemon still writes after its answer are points as well.
    await eventually(() => !isRunning(daemon), 400).catch(() => {})
    const crashedAt = isRunning(daemon) || at === 0 ? null : (rig.trace()[at - 1] ?? null)
    where = `${crashedAt === null ? 'no crash' : `${side} ${crashedAt}`}; the command ended with ${command.code}: ${command.stderr}`
    if (at > 0) {
      kill(daemon)
      await eventually(() => !isRunning(daemon))
      await rig.eco(['ls'])
    }
    await expectConsistent(scenario, rig).catch(async (error: unknown) => {
      if (!(await hasLostSockets(rig))) throw error
      // What eco says that helps.
      expect(await rig.eco(['restart', 'all'])).toMatchObject({ code: 0 })
      await expectConsistent(scenario, rig)
    })
    const trace = rig.trace()
    if (at > 0) await expectGoesOn(scenario, rig, await poller?.stop())
    await rig[Symbol.asyncDispose]()
    rmSync(dirname(rig.home), { recursive: true, force: true })
    return { trace, crashedAt, command }
  } catch (cause) {
    throw new Error(`point ${at} (${where}): ${(cause as Error).message}`, { cause })
  }
}

async function expectGoesOn(scenario: Scenario, rig: CrashRig, failed: readonly string[] = []): Promise<void> {
  if (!scenario.mayRefuse && !(await hasLostSockets(rig))) expect(failed).toEqual([])
  scenario.check?.(rig)
  const applied = await rig.apply(scenario.to)
  expect(applied, `the apply afterwards: ${applied.stdout}${applied.stderr}`).toMatchObject({ code: 0 })
  await eventually(() => expect(worldOf(rig)).toEqual(scenario.end))
  const removed = await rig.eco(['delete', 'all', '--yes'])
  expect(removed, `eco delete all: ${removed.stdout}${removed.stderr}`).toMatchObject({ code: 0 })
  await eventually(() => expect(rig.runs()).toEqual([]))
  expect(await rig.ls()).toEqual([])
}

/** Where the sockets of a crashed daemon cannot be taken back (Node 20), nothing can be added to the port, and going back is a restart. */
async function hasLostSockets(rig: CrashRig): Promise<boolean> {
  return (await rig.eco(['events', '--json'])).stdout.includes('new instances cannot share it')
}

/** One of the allowed worlds, twice in a row the same, all of it known to the daemon, and nothing left over. */
async function expectConsistent({ allowed }: Scenario, rig: CrashRig): Promise<void> {
  const worlds = allowed.map(({ world }) => world)
  await eventually(async () => {
    const apps = await rig.ls()
    const isDown = existsSync(join(rig.home, 'scopes/demo/default/down.json'))
    const world = worldOf(rig)
    expect(worlds).toContainEqual(world)
    expectKnown(rig, apps)
    for (const app of apps) {
      const wanted = isDown ? 0 : (app.hold?.instances ?? app.wanted)
      if (app.kind === 'service') expect(app, app.app).toMatchObject({ ready: wanted })
    }
  }, SETTLE_MS)
  const world = JSON.stringify(worldOf(rig))
  const files = allowed.filter((it) => JSON.stringify(it.world) === world).flatMap(({ file }) => file ?? [])
  const diffs: string[] = []
  for (const file of files) {
    rig.write('ecosystem.yaml', file)
    const { code, stdout } = await rig.eco(['diff', '--exit-code'])
    if (code === 0) diffs.length = 0
    if (code === 0) break
    diffs.push(`${code}: ${stdout}`)
  }
  expect(diffs, 'eco diff').toEqual([])
  await eventually(() => expectTidy(rig))
}

/** The daemon knows exactly what runs. */
function expectKnown(rig: CrashRig, apps: readonly ListedApp[]): void {
  const known = apps.flatMap(({ app, instances }) =>
    instances.flatMap(({ slot, pid }) => (pid === null ? [] : [`${app}#${slot} ${pid}`])),
  )
  const live = rig
    .runs()
    .map(
      ({ app, slot, pids }) =>
        `${app}#${slot} ${known.includes(`${app}#${slot} ${pids[0]}`) ? pids[0] : pids.join('+')}`,
    )
  expect(known.toSorted()).toEqual(live.toSorted())
}

export function worldOf(rig: CrashRig): Record<string, string[]> {
  const world: Record<string, string[]> = {}
  for (const { app, version } of rig.runs()) (world[app] ??= []).push(version)
  return world
}

/** No half-written files, no records and no folders of what is gone. */
function expectTidy(rig: CrashRig): void {
  const files = readdirSync(rig.home, { recursive: true, encoding: 'utf8' })
  expect(files.filter((name) => /\.tmp$|\.sock\.|\.takeover|pending\.json/.test(name))).toEqual([])
  const live = rig.runs().map(({ app, slot }) => `${app}.${slot}`)
  // Of a scope that is down as a whole the records stay.
  const isDown = files.includes('scopes/demo/default/down.json')
  const records = files.flatMap((name) => /\/runtime\/(.+\.\d+)\.\d+\.json$/.exec(name)?.[1] ?? [])
  expect(records.filter((name) => !live.includes(name) && !isEnded(rig, name) && !isDown)).toEqual([])
  expect(live.filter((name) => !records.includes(name))).toEqual([])
  const folders = files.filter((name) => /^probe\/[^/]+$/.test(name))
  expect(folders.length).toBeLessThanOrEqual(live.length)
}

/** A job that has ended keeps its record. */
function isEnded(rig: CrashRig, name: string): boolean {
  return existsSync(join(rig.home, 'scopes/demo/default/runs', `${name.slice(0, name.lastIndexOf('.'))}.json`))
}

/** A light load, from now on. */
function pollPort(port: number): AsyncDisposable & { stop: () => Promise<string[]> } {
  const failures: string[] = []
  let wanted = true
  const ask = (agent: http.Agent, isKept: boolean): Promise<void> =>
    new Promise((resolve) => {
      const begun = Date.now()
      const failed = (error: Error): void => {
        failures.push(`${error.message} (${isKept ? 'kept' : 'new'}, after ${Date.now() - begun} ms)`)
        resolve()
      }
      const request = http.get({ host: '127.0.0.1', port, agent, timeout: 8000 }, (response) => {
        response.on('error', failed).on('end', resolve).resume()
      })
      request.on('timeout', () => request.destroy(new Error('no answer')))
      request.on('error', failed)
    })
  const client = async (keepAlive: boolean): Promise<void> => {
    const agent = new http.Agent({ keepAlive, maxSockets: 1 })
    while (wanted) {
      await ask(agent, keepAlive)
      await new Promise((done) => setTimeout(done, 15))
    }
    agent.destroy()
  }
  const running = Promise.all([client(true), client(false)])
  const stop = async (): Promise<string[]> => {
    wanted = false
    await running
    return failures
  }
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) }
}

/**
 * Every point of a scenario, so many at a time.
 *
 * @param make the scenario with a port of its own
 * @returns what failed, a line for each
 */
export async function crashEverywhere(
  make: () => Scenario | Promise<Scenario>,
  { side, everyNth = 1, atOnce = 2 }: { side: Side; everyNth?: number; atOnce?: number },
): Promise<{ readonly failures: string[]; readonly points: number }> {
  const { trace } = await crashAt(await make(), 0, side)
  const points = trace.map((_, index) => index + 1).filter((point) => (point - 1) % everyNth === 0)
  const failures: string[] = []
  const left = [...points]
  const work = async (): Promise<void> => {
    for (let at = left.shift(); at !== undefined; at = left.shift()) {
      try {
        await crashAt(await make(), at, side)
      } catch (error) {
        failures.push((error as Error).message)
        if (process.env['CRASH_VERBOSE']) process.stderr.write(`${(error as Error).message}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { failures, points: points.length }
}
