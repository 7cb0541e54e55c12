/** What an operator may expect of eco with any app: each step is asked of the app itself, of the kernel, and of `eco ls`. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext } from 'vitest'
import { parse, stringify } from 'yaml'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import type { Rig } from '../support/rig.ts'
import { isOpen } from './ask.ts'
import { applyApp, ecoIn, folderOf, leftBehind, type RealApp } from './real-app.ts'

export interface Lifecycle extends RealApp {
  readonly instances?: number
  /** Ports that are open exactly while the app runs. */
  readonly ports: readonly number[]
  /** Folders that only its processes work in; default: its own. */
  readonly folders?: readonly string[]
  /** Asks the app something that only works when it works; throws otherwise. */
  ask(): Promise<unknown>
  /** What else is expected of it while it runs; the last thing before it is deleted. */
  whileRunning?(): Promise<unknown>
}

export interface RealAppTimes {
  readonly name: string
  /** From the command to its end, milliseconds. */
  readonly applyMs: number
  readonly restartMs: number
  readonly stopMs: number
}

declare module 'vitest' {
  interface TaskMeta {
    realApp?: RealAppTimes
  }
}

/** Apply, apply again, restart, a changed variable, kill -9, stop, start, delete. */
export async function expectLifecycle(rig: Rig, { task }: TestContext, app: Lifecycle): Promise<void> {
  const applyMs = await timed(async () => {
    const result = await applyApp(rig, app)
    expect(result, result.stderr).toMatchObject({ code: 0 })
  })
  await expectServing(rig, app)
  const first = await rig.pids(app.service)

  const again = await applyApp(rig, app)
  expect(again, again.stderr).toMatchObject({ code: 0 })
  expect(await rig.pids(app.service)).toEqual(first)

  const restartMs = await timed(async () => expectOk(rig, app, ['restart', app.service]))
  await expectServing(rig, app)
  await expectAllNew(rig, app, first)

  const second = await rig.pids(app.service)
  const changed = await ecoIn(rig, app, ['apply', changedFile(app), '--yes', '--take-over'])
  expect(changed, changed.stderr).toMatchObject({ code: 0 })
  await expectServing(rig, app)
  await expectAllNew(rig, app, second)

  await expectBackAfterKill(rig, app)

  const stopMs = await timed(async () => expectOk(rig, app, ['stop', 'all']))
  await expectGone(rig, app)
  expect(await rig.app(app.service)).toMatchObject({ state: 'stopped', ready: 0 })
  expect(await events(rig, app), 'it ended when it was asked to').not.toContain('sent SIGKILL')

  await expectOk(rig, app, ['start', app.service])
  await expectServing(rig, app)
  await app.whileRunning?.()
  await expectOk(rig, app, ['delete', 'all', '--yes'])
  await expectGone(rig, app)
  expect(await rig.ls()).toEqual([])
  task.meta.realApp = { name: app.project ?? app.folder, applyMs, restartMs, stopMs }
}

/** eco says that it runs, and it does: the first question is answered. */
export async function expectServing(rig: Rig, app: Lifecycle): Promise<void> {
  await app.ask()
  const { instances = 1 } = app
  expect(await rig.app(app.service)).toMatchObject({
    state: 'running',
    ready: instances,
    wanted: instances,
    reason: null,
  })
}

/** Nothing of it is left: no process, no open port. */
export async function expectGone(rig: Rig, app: Lifecycle): Promise<void> {
  expect(await leftBehind(rig, app.folders ?? [folderOf(app)])).toEqual([])
  for (const port of app.ports) expect(await isOpen(port), `port ${port}`).toBe(false)
}

export async function expectBackAfterKill(rig: Rig, app: Lifecycle): Promise<void> {
  const [victim = 0] = await rig.pids(app.service)
  kill(victim)
  await eventually(async () => {
    expect(await rig.pids(app.service)).not.toContain(victim)
    await expectServing(rig, app)
  }, 30_000)
  expect(await events(rig, app)).toContain('SIGKILL')
}

async function expectAllNew(rig: Rig, app: Lifecycle, before: readonly number[]): Promise<void> {
  const pids = await rig.pids(app.service)
  expect(pids).toHaveLength(before.length)
  expect(pids.filter((pid) => before.includes(pid))).toEqual([])
}

async function expectOk(rig: Rig, app: Lifecycle, args: readonly string[]): Promise<void> {
  const result = await ecoIn(rig, app, args)
  expect(result, result.stderr).toMatchObject({ code: 0 })
}

export async function events(rig: Rig, app: RealApp): Promise<string> {
  const described = await ecoIn(rig, app, ['describe', app.service, '--json'])
  return JSON.stringify(described.json().apps[0].events)
}

/** The same file with one more variable for the service. @returns its name, in the same folder */
function changedFile(app: RealApp): string {
  return variant(app, 'changed.yaml', (file) => {
    const service = file.apps[app.service]
    service.env = { ...service.env, CHANGED: '1' }
  })
}

/** Writes a changed copy of the app's file beside it. */
export function variant(app: RealApp, name: string, change: (file: any) => void): string {
  const file = parse(readFileSync(join(folderOf(app), app.file ?? 'ecosystem.yaml'), 'utf8'))
  change(file)
  writeFileSync(join(folderOf(app), name), stringify(file))
  return name
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await action()
  return Math.round(performance.now() - started)
}
