/** Rotation under processes that go on writing: no line is lost, torn or doubled. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { type FileSystem, folderOn } from '../support/file-systems.ts'
import { faultsOf, wholeLog } from '../support/log-check.ts'
import { isRunning } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

function writer(path: string, id: string, lines: number, how: string, logs: object = {}): object {
  return {
    command: [process.execPath, fixture('log-writer.mjs'), id, String(lines), how],
    logs: { out: path, max_size: '2M', keep: 1000, compress: 'none', ...logs },
  }
}

/** @returns for how many ms each was held up at most */
async function whenWritten(rig: Rig, ids: readonly string[]): Promise<string[]> {
  return eventually(() => ids.map((id) => readFileSync(join(rig.dir, `${id}.done`), 'utf8')), 60_000)
}

/** Once the rotations that are under way have ended. */
async function whenWhole(rig: Rig, path: string, writers: Readonly<Record<string, number>>): Promise<Ledger> {
  return eventually(() => {
    const { text, ledger } = wholeLog(rig.home, path)
    expect(ledger.pending).toBeNull()
    expect(faultsOf(text, writers)).toEqual([])
    return ledger
  }, 20_000)
}

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so no lines of Python were rotated\n')
const BUFFERED = `
import sys, time
for number in range(300000):
    print(f"p {number:010} ".ljust(98, "x") + "$")
    if number % 1000 == 0: time.sleep(0.005)
sys.stdout.flush()
open("p.done", "w").close()
time.sleep(1000)`

const PLACES: readonly FileSystem[] = ['disk', 'tmpfs', 'xfs', 'btrfs']

function tell(where: FileSystem, { archives }: Ledger, heldUp: readonly string[]): void {
  if (!process.env['ROTATION_VERBOSE']) return
  process.stderr.write(`${where}: ${archives.length} rotations, held up ${heldUp.join(' and ')} ms\n`)
}

describe.each(PLACES)('on %s', (where) => {
  test('one at full speed', { timeout: 120_000 }, async (context) => {
    await using rig = await createRig()
    const folder = folderOn(where, rig.dir)
    if (folder === null) return context.skip()
    const path = join(folder, 'api.log')
    expect(await rig.apply({ apps: { api: writer(path, 'a', 2_000_000, 'batch') } })).toMatchObject({ code: 0 })
    const heldUp = await whenWritten(rig, ['a'])
    const ledger = await whenWhole(rig, path, { a: 2_000_000 })
    tell(where, ledger, heldUp)
    expect(ledger.archives.length).toBeGreaterThanOrEqual(3)
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('two apps that share a file, one with console.log', { timeout: 120_000 }, async (context) => {
    await using rig = await createRig()
    const folder = folderOn(where, rig.dir)
    if (folder === null) return context.skip()
    const path = join(folder, 'both.log')
    const apps = { a: writer(path, 'a', 200_000, 'pace'), b: writer(path, 'b', 150_000, 'console') }
    expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
    const heldUp = await whenWritten(rig, ['a', 'b'])
    const ledger = await whenWhole(rig, path, { a: 200_000, b: 150_000 })
    tell(where, ledger, heldUp)
    expect(ledger.archives.length).toBeGreaterThanOrEqual(3)
  })

  test.skipIf(python === null)(
    'lines that no single write ends, of Python with a buffer',
    { timeout: 120_000 },
    async (context) => {
      await using rig = await createRig()
      const folder = folderOn(where, rig.dir)
      if (folder === null) return context.skip()
      const path = join(folder, 'p.log')
      const logs = { out: path, max_size: '1M', keep: 1000, compress: 'none' }
      await rig.apply({ apps: { p: { command: [python, '-c', BUFFERED], logs } } })
      await whenWritten(rig, ['p'])
      const ledger = await whenWhole(rig, path, { p: 300_000 })
      expect(ledger.archives.length).toBeGreaterThanOrEqual(3)
    },
  )
})

test(
  'a daemon that is stopped, killed and replaced meanwhile holds nobody up, and the next goes on',
  { timeout: 120_000 },
  async () => {
    await using rig = await createRig()
    const paths = PLACES.slice(0, 2)
      .flatMap((where) => folderOn(where, rig.dir) ?? [])
      .map((folder) => join(folder, 'api.log'))
    const apps = Object.fromEntries(
      paths.map((path, index) => [`w${index}`, writer(path, `w${index}`, 200_000, 'pace')]),
    )
    await rig.apply({ apps })
    for (let times = 0; times < 6; times++) {
      await rig.eco(['ls'])
      const daemon = await rig.daemonPid()
      process.kill(daemon, 'SIGSTOP')
      await sleep(150)
      process.kill(daemon, times % 2 === 0 ? 'SIGKILL' : 'SIGCONT')
      if (times % 2 === 0) await eventually(() => !isRunning(daemon))
      await sleep(300 + 37 * times)
    }
    await rig.eco(['ls'])
    await whenWritten(rig, Object.keys(apps))
    for (const [index, path] of paths.entries()) {
      expect(await whenWhole(rig, path, { [`w${index}`]: 200_000 })).toMatchObject({ pending: null })
    }
  },
)
