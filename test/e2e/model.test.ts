/**
 * Random verbs, exits, probe edges and ends of the daemon against the real thing, compared with the simplest model there
 * is: what is wanted. A file lock held by the instances says whether two of them were ever in one slot.
 */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VerbParams } from '../../src/daemon/protocol.ts'
import { callOrStart } from '../../src/daemon/ensure.ts'
import { eventually } from '../support/eventually.ts'
import { commandOf } from '../../src/supervisor/proc.ts'
import { kill, processesWith } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

interface Model {
  /** Instances that should run. */
  wanted: number
  readonly unready: Set<number>
}

type Command = fc.AsyncCommand<Model, Rig>

const STATES = new Set(['starting', 'running', 'draining', 'stopping', 'stopped', 'backoff', 'exited', 'failed'])
const SLOTS = 3

function command(
  name: string,
  run: (model: Model, rig: Rig) => Promise<void> | void,
  check: (model: Readonly<Model>) => boolean = () => true,
): Command {
  return {
    check,
    toString: () => name,
    async run(model, rig) {
      await run(model, rig)
      await invariants(rig)
    },
  }
}

async function verb(rig: Rig, of: VerbParams['verb'], instances: number | null = null): Promise<void> {
  const params = { verb: of, instances, by: 'model', selectors: ['app'], project: null, environment: null }
  await callOrStart('verb', params, { home: rig.home })
}

const touch = (rig: Rig, name: string, text = ''): void => writeFileSync(join(rig.dir, name), text)

async function invariants(rig: Rig): Promise<void> {
  expect(existsSync(join(rig.dir, 'doubles')) ? readFileSync(join(rig.dir, 'doubles'), 'utf8') : '').toBe('')
  const { instances } = await rig.app('app')
  for (const { state } of instances) expect(STATES).toContain(state)
  expect(new Set(instances.map(({ slot }) => slot)).size).toBe(instances.length)
}

/** What must be so once nothing more happens. */
async function converges(model: Model, rig: Rig): Promise<void> {
  await eventually(async () => {
    const app = await rig.app('app')
    const up = app.instances.filter(({ state }) => state === 'running')
    expect({ up: up.length, total: app.instances.filter(({ state }) => state !== 'stopped').length }).toEqual({
      up: model.wanted,
      total: model.wanted,
    })
    const ready = up.filter(({ slot }) => !model.unready.has(slot)).length
    expect(app.ready).toBe(ready)
  }, 15_000)
  // The shell of each instance, and nobody else's.
  await eventually(() => {
    // A shell that is just about to become another program still looks like a shell.
    const marked = processesWith(`HOME=${rig.env['HOME'] ?? ''}`)
    const shells = marked.filter((pid) => commandOf(pid)?.includes('one-per-slot.sh'))
    expect(shells).toHaveLength(model.wanted)
  })
}

const slot = fc.nat(SLOTS - 1)

const commands: fc.Arbitrary<Command>[] = [
  fc.constant(
    command('stop', async (model, rig) => {
      model.wanted = 0
      await verb(rig, 'stop')
    }),
  ),
  fc.constant(
    command('start', async (model, rig) => {
      if (model.wanted === 0) model.wanted = 2 // of a stop it is the end, of a scale it is not
      await verb(rig, 'start')
    }),
  ),
  fc.constant(
    command(
      'restart',
      (_, rig) => verb(rig, 'restart'),
      ({ wanted }) => wanted > 0,
    ),
  ),
  fc.integer({ min: 1, max: SLOTS }).map((instances) =>
    command(`scale ${instances}`, async (model, rig) => {
      model.wanted = instances
      await verb(rig, 'scale', instances)
    }),
  ),
  fc.constant(
    command('reset', async (_, rig) => {
      await callOrStart('reset', { selectors: ['app'], project: null, environment: null }, { home: rig.home })
    }),
  ),
  slot.map((of) =>
    command(`kill -9 #${of}`, async (_, rig) => {
      const { instances } = await rig.app('app')
      const pid = instances.find((instance) => instance.slot === of)?.pid
      if (pid != null) kill(pid)
    }),
  ),
  fc
    .tuple(slot, fc.constantFrom(0, 1, 7))
    .map(([of, code]) => command(`exit ${code} #${of}`, (_, rig) => touch(rig, `exit-${of}`, String(code)))),
  slot.map((of) => command(`sick #${of}`, (_, rig) => touch(rig, `sick-${of}`))),
  slot.map((of) =>
    command(`unready #${of}`, (model, rig) => {
      model.unready.add(of)
      touch(rig, `unready-${of}`)
    }),
  ),
  slot.map((of) =>
    command(`ready #${of}`, (model, rig) => {
      model.unready.delete(of)
      rmSync(join(rig.dir, `unready-${of}`), { force: true })
    }),
  ),
  fc
    .constantFrom(5, 40, 150)
    .map((ms) => command(`${ms} ms pass`, () => new Promise((resolve) => setTimeout(resolve, ms)))),
  fc.constant(command('daemon dies', async (_, rig) => kill(await rig.daemonPid()))),
]

const APP = {
  command: ['sh', fixture('one-per-slot.sh')],
  instances: 2,
  ready: { delay: '10ms' },
  readiness: { exec: ['sh', '-c', 'test ! -e unready-$ECO_INSTANCE'], interval: '50ms', failures: 1 },
  health: { exec: ['sh', '-c', 'test ! -e sick-$ECO_INSTANCE'], interval: '50ms', failures: 2 },
  restart: { max: 1000, backoff: { initial: '5ms', factor: 1.5, max: '50ms' } },
  stop: { timeout: '2s' },
}

const replay = process.env['ECO_MODEL_SEED']

test('whatever happens, there is one copy in a slot, and what is wanted comes true', { timeout: 180_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 16, size: 'max' }), async (chosen) => {
      await using rig = await createRig()
      expect(await rig.apply({ apps: { app: APP } })).toMatchObject({ code: 0 })
      const model: Model = { wanted: 2, unready: new Set() }
      await fc.asyncModelRun(() => ({ model, real: rig }), chosen)
      await converges(model, rig)
    }),
    {
      numRuns: Number(process.env['ECO_MODEL_RUNS'] ?? 8),
      interruptAfterTimeLimit: 150_000,
      endOnFailure: true,
      ...(replay === undefined ? {} : { seed: Number(replay.split(':')[0]), path: replay.split(':')[1] ?? '' }),
    },
  )
})
