/** What stands in the way of a rotation: the app writes on, the operator is told once, and it goes on by itself. */

import { existsSync, linkSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { wholeLog } from '../support/log-check.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const LINE = 'x'.repeat(99)

/** Writes a MiB when it finds the file `more` in its folder, and removes that. */
const ON_REQUEST = `while :; do if [ -e more ]; then rm more; head -c 1048576 /dev/zero | tr '\\0' x | fold -w 99; fi; sleep 0.05; done`

async function notes(rig: Rig): Promise<string[]> {
  const { stdout } = await rig.eco(['events', '--json', '--since', '1h'])
  const events = stdout.split('\n').filter(Boolean)
  return events.map((line) => JSON.parse(line) as { message: string }).map(({ message }) => message)
}

async function more(rig: Rig, path: string): Promise<void> {
  // In this order: with a rotation between them it is too little, never too much.
  const end = (): number => readLedger(rig.home, path).base + (statSync(path, { throwIfNoEntry: false })?.size ?? 0)
  const before = end()
  rig.write('more', '')
  await eventually(() => expect(end()).toBeGreaterThanOrEqual(before + 1_000_000))
}

test('a disk that is full: told once, nothing is damaged, and rotated when there is room', async (context) => {
  await using rig = await createRig()
  const folder = join(rig.dir, 'small')
  mountSmallDisk(context, folder, 'size=6m')
  const path = join(folder, 'api.log')
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(4 << 20))
  const logs = { out: path, max_size: '1M', compress: 'none' }
  await rig.apply({ apps: { api: { command: ['sh', '-c', ON_REQUEST], logs } } })
  await more(rig, path)
  await eventually(async () =>
    expect((await notes(rig)).join('\n')).toContain('cannot be rotated, and grows: the disk is full'),
  )
  await new Promise((resolve) => setTimeout(resolve, 2500))
  expect((await notes(rig)).filter((note) => note.includes('the disk is full'))).toHaveLength(1)
  expect(readdirSync(folder).toSorted()).toEqual(['api.log', 'ballast'])
  expect(wholeLog(rig.home, path).text).toMatch(/^(x{99}\n)+x*\n?$/)
  rmSync(ballast)
  await eventually(() => expect(readLedger(rig.home, path).archives).toHaveLength(1), 20_000)
  await eventually(async () => expect((await notes(rig)).join('\n')).toContain('is rotated again'))
})

test('before a disk is full the oldest archives go', async (context) => {
  await using rig = await createRig()
  const folder = join(rig.dir, 'small')
  mountSmallDisk(context, folder, 'size=6m')
  const path = join(folder, 'api.log')
  const logs = { out: path, max_size: '1M', compress: 'none' }
  await rig.apply({ apps: { api: { command: ['sh', '-c', ON_REQUEST], logs } } })
  for (let times = 1; times <= 6; times++) {
    await more(rig, path)
    await eventually(
      () => expect(readLedger(rig.home, path).archives.at(-1)?.end ?? 0).toBeGreaterThan(times * 900_000),
      20_000,
    )
  }
  expect(readLedger(rig.home, path).archives[0]?.start).toBeGreaterThan(0)
  expect((await notes(rig)).join('\n')).toContain('the oldest archive of its log, was removed')
})

test('a file with a second name is left alone, which is told once; it is rotated when that is gone', async () => {
  await using rig = await createRig()
  const path = join(rig.home, 'scopes/demo/default/logs/api-0.out.log')
  const logs = { max_size: '1M', compress: 'none' }
  await rig.apply({ apps: { api: { command: ['sh', '-c', ON_REQUEST], logs } } })
  linkSync(path, `${path}.same`)
  await more(rig, path)
  const said = (all: string[]): string[] => all.filter((note) => note.includes('has more than one name (hard links)'))
  await eventually(async () => expect(said(await notes(rig))).toHaveLength(1))
  await new Promise((resolve) => setTimeout(resolve, 2500))
  expect(said(await notes(rig))).toHaveLength(1)
  rmSync(`${path}.same`)
  await eventually(() => expect(readLedger(rig.home, path).archives).toHaveLength(1), 20_000)
})

test('a line that does not end is cut when it is four times as long as the file may be, and told', async () => {
  await using rig = await createRig()
  const path = join(rig.home, 'scopes/demo/default/logs/api-0.out.log')
  const endless = `head -c 3000000 /dev/zero | tr '\\0' y; while [ ! -e more ]; do sleep 0.05; done; head -c 3000000 /dev/zero | tr '\\0' z; while [ ! -e end ]; do sleep 0.05; done; echo; exec sleep 1000`
  const logs = { max_size: '1M', compress: 'none' }
  await rig.apply({ apps: { api: { command: ['sh', '-c', endless], logs } } })
  await eventually(() => expect(statSync(path).size).toBe(3_000_000))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(readLedger(rig.home, path).archives).toEqual([])
  rig.write('more', '')
  await eventually(() => expect(readLedger(rig.home, path).archives.length).toBeGreaterThan(0))
  await eventually(async () => expect((await notes(rig)).join('\n')).toContain('a line without an end'))
  rig.write('end', '')
  await eventually(() =>
    expect(wholeLog(rig.home, path).text).toBe(`${'y'.repeat(3_000_000)}${'z'.repeat(3_000_000)}\n`),
  )
})

test('the log and its folder are removed: it goes on with the next run, and no address comes twice', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'own/api.log')
  const command = ['sh', '-c', `echo ${LINE}; exec sleep 1000`]
  await rig.apply({ apps: { api: { command, logs: { out: path, compress: 'none' } } } })
  await eventually(() => expect(existsSync(path)).toBe(true))
  await eventually(() => expect(readLedger(rig.home, path)).toMatchObject({ base: 0, size: 100 }))
  rmSync(dirname(path), { recursive: true })
  expect(await rig.eco(['restart', 'api'])).toMatchObject({ code: 0 })
  await eventually(() => expect(readLedger(rig.home, path)).toMatchObject({ base: 100, size: 100 }))
  expect(await rig.eco(['logs', 'rotate', 'api'])).toMatchObject({ code: 0 })
  expect(readLedger(rig.home, path).archives).toMatchObject([{ start: 100, end: 200 }])
})
