/** Loggers and versions of Node on a log folder that is full: the app lives, and its lines come again with the room. */

import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createRig } from '../support/rig.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { applyApp, missing } from './real-app.ts'

const WAYS = ['console', 'error', 'stdout', 'pino', 'pino-async', 'pino-worker', 'winston']

test.skipIf(missing('loggers')).for(['node', 'node_modules/node22/bin/node', 'node_modules/node24/bin/node'])(
  'loggers on %s outlive a full disk',
  async (node, context) => {
    await using rig = await createRig()
    const logs = join(rig.dir, 'logs')
    // The seven of them write 1.4 MB/s: there is room for longer than any machine needs.
    mountSmallDisk(context, logs, 'size=96m')
    const beats = join(rig.dir, 'beats')
    mkdirSync(beats)
    const app = { folder: 'loggers', service: 'console', env: { NODE: node, LOGS: logs, BEATS: beats } }
    expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
    const pids = async (): Promise<unknown[]> => (await rig.ls()).map(({ app, instances }) => [app, instances[0]?.pid])
    const before = await pids()
    expect(before).toHaveLength(WAYS.length)
    const log = (way: string): string => join(logs, `${way}.log`)
    const told = (way: string): number[] =>
      [...readFileSync(log(way), 'utf8').matchAll(/line (\d+) of/g)].map((match) => Number(match[1]))
    const beat = (way: string): number => Number(readFileSync(join(beats, way), 'utf8'))
    await eventually(() => WAYS.every((way) => told(way).length > 0), 30_000)

    const ballast = join(logs, 'ballast')
    fill(ballast)
    const full = WAYS.map(beat)
    // As many writes fail, of each.
    await eventually(() => WAYS.every((way, i) => beat(way) > (full[i] ?? 0) + 50), 30_000)
    rmSync(ballast)
    const roomy = WAYS.map(beat)
    await eventually(() => {
      for (const [i, way] of WAYS.entries()) expect(told(way).at(-1), way).toBeGreaterThan((roomy[i] ?? 0) + 50)
    }, 30_000)
    expect(await pids()).toEqual(before)
    for (const [i, way] of WAYS.entries()) {
      const lines = told(way)
      const lost = lines.flatMap((line, at) => (line === (lines[at - 1] ?? -1) + 1 ? [] : [line]))
      expect(
        lost.every((line) => line > (full[i] ?? 0) && line < (roomy[i] ?? 0) + 50),
        `${way}: ${lost.join()}`,
      ).toBe(true)
      expect(lost.length, way).toBeGreaterThan(0)
    }
  },
)

function fill(path: string): void {
  for (const size of [1 << 16, 1 << 12, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size, 120))
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  }
}
