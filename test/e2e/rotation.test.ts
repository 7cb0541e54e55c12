/** Rotation under processes that go on writing: no line is lost, torn or doubled. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { faultsOf, wholeLog } from '../support/log-check.ts'
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

async function whenWritten(rig: Rig, apps: readonly string[]): Promise<string[]> {
  return eventually(() => {
    const said = apps.map((app) => rig.output(app, { stream: 'err' }))
    for (const text of said) expect(text).toContain('held up')
    return said
  }, 60_000)
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
    const said = await whenWritten(rig, ['api'])
    const ledger = await whenWhole(rig, path, { a: 2_000_000 })
    if (process.env['ROTATION_VERBOSE'])
      process.stderr.write(`${where}: ${ledger.archives.length} rotations, ${said.join()}`)
    expect(ledger.archives.length).toBeGreaterThanOrEqual(5)
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
        process.stderr.write(`${where}: ${ledger.archives.length} rotations, ${said.join()}`)
      expect(ledger.archives.length).toBeGreaterThanOrEqual(10)
    },
  )
}
