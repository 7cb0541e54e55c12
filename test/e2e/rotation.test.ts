/** Rotation under processes that go on writing: no line is lost, torn or doubled. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { faultsOf, wholeLog } from '../support/log-check.ts'
import { isRunning } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const TMPFS = '/dev/shm'
const isTmpfs = statfsSync(TMPFS).type === 0x01021994

/** A folder for logs on a file system of that kind. */
function folderOn(where: 'disk' | 'tmpfs', rig: Rig): string {
  const folder = where === 'disk' ? join(rig.dir, 'logs') : mkdtempSync(join(TMPFS, 'eco-logs-'))
  mkdirSync(folder, { recursive: true })
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

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

const PLACES = ['disk', 'tmpfs'] as const

for (const where of PLACES) {
  test.skipIf(where === 'tmpfs' && !isTmpfs)(`one at full speed, on ${where}`, { timeout: 120_000 }, async () => {
    await using rig = await createRig()
    const path = join(folderOn(where, rig), 'api.log')
    expect(await rig.apply({ apps: { api: writer(path, 'a', 2_000_000, 'batch') } })).toMatchObject({ code: 0 })
    const said = await whenWritten(rig, ['a'])
    const ledger = await whenWhole(rig, path, { a: 2_000_000 })
    if (process.env['ROTATION_VERBOSE'])
      process.stderr.write(`${where}: ${ledger.archives.length} rotations, held up ${said.join(' and ')} ms\n`)
    expect(ledger.archives.length).toBeGreaterThanOrEqual(3)
    expect(readdirSync(dirname(path)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test.skipIf(where === 'tmpfs' && !isTmpfs)(
    `two apps that share a file, one with console.log, on ${where}`,
    { timeout: 120_000 },
    async () => {
      await using rig = await createRig()
      const path = join(folderOn(where, rig), 'both.log')
      const apps = { a: writer(path, 'a', 400_000, 'pace'), b: writer(path, 'b', 300_000, 'console') }
      expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
      const said = await whenWritten(rig, ['a', 'b'])
      const ledger = await whenWhole(rig, path, { a: 400_000, b: 300_000 })
      if (process.env['ROTATION_VERBOSE'])
        process.stderr.write(`${where}: ${ledger.archives.length} rotations, held up ${said.join(' and ')} ms\n`)
      expect(ledger.archives.length).toBeGreaterThanOrEqual(10)
    },
  )
}

const python = findPython()

test.skipIf(python === null)(
  'lines that no single write ends, of Python with a buffer',
  { timeout: 120_000 },
  async () => {
    await using rig = await createRig()
    const code = `
import sys, time
for number in range(300000):
    print(f"p {number:010} ".ljust(98, "x") + "$")
    if number % 1000 == 0: time.sleep(0.005)
sys.stdout.flush()
open("p.done", "w").close()
time.sleep(1000)`
    const [disk, memory] = PLACES.filter((where) => where === 'disk' || isTmpfs).map((where) => folderOn(where, rig))
    const logs = { max_size: '1M', keep: 1000, compress: 'none' }
    for (const folder of [disk, memory]) {
      if (folder === undefined) continue
      const path = join(folder, 'p.log')
      rmSync(join(rig.dir, 'p.done'), { force: true })
      await rig.apply({ apps: { p: { command: [python, '-c', code], logs: { ...logs, out: path } } } })
      await whenWritten(rig, ['p'])
      const ledger = await whenWhole(rig, path, { p: 300_000 })
      expect(ledger.archives.length).toBeGreaterThanOrEqual(10)
    }
  },
)

test(
  'a daemon that is stopped, killed and replaced meanwhile holds nobody up, and the next goes on',
  { timeout: 120_000 },
  async () => {
    await using rig = await createRig()
    const places = PLACES.filter((where) => where === 'disk' || isTmpfs)
    const paths = places.map((where) => join(folderOn(where, rig), 'api.log'))
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
    for (const [index, path] of paths.entries()) await whenWhole(rig, path, { [`w${index}`]: 200_000 })
  },
)
