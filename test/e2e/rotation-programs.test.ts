/** What rotates and compresses are programs: they may be missing, or fail. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { wholeLog } from '../support/log-check.ts'
import { createRig, type Rig } from '../support/rig.ts'

const PACKED_MS = 20_000
const SAYS = ['sh', '-c', 'echo one; exec sleep 1000']

/** A folder for PATH. @param scripts by name, of sh */
function programs(rig: Rig, scripts: Readonly<Record<string, string>> = {}): Record<string, string> {
  const folder = join(rig.dir, 'bin')
  mkdirSync(folder)
  for (const name of ['sh', 'sleep']) {
    symlinkSync(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(folder, name))
  }
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return { PATH: folder }
}

async function applied(rig: Rig, env: Record<string, string>, logs: object): Promise<string> {
  rig.write('ecosystem.yaml', { apps: { api: { command: SAYS, logs } } })
  expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
  const path = join(rig.home, 'scopes/demo/default/logs/api-0.out.log')
  await eventually(() => expect(readFileSync(path, 'utf8')).toBe('one\n'))
  return path
}

const archivesIn = (path: string): string[] => readdirSync(dirname(path)).filter((name) => !name.endsWith('.log'))

test('with no program at all, archives are compressed by Node, and nothing else is left beside them', async () => {
  await using rig = await createRig()
  const path = await applied(rig, programs(rig), { compress: 'zstd' })
  expect(await rig.eco(['logs', 'rotate', 'api'])).toMatchObject({ code: 0 })
  await eventually(() => expect(readLedger(rig.home, path).archives[0]?.compression).not.toBe('none'), PACKED_MS)
  await eventually(() => expect(archivesIn(path)).toEqual([readLedger(rig.home, path).archives[0]?.name]))
  expect(wholeLog(rig.home, path).text).toBe('one\n')
})

test('a program that fails is not tried again at once, and its archive stays as it was written', async () => {
  await using rig = await createRig()
  const calls = join(rig.dir, 'calls')
  const path = await applied(rig, programs(rig, { gzip: `echo called >> ${calls}; echo no room >&2; exit 1` }), {})
  await rig.eco(['logs', 'rotate', 'api'])
  await eventually(() => expect(readFileSync(calls, 'utf8')).toBe('called\n'), PACKED_MS)
  await new Promise((resolve) => setTimeout(resolve, 2500))
  expect(readFileSync(calls, 'utf8')).toBe('called\n')
  expect(readFileSync(join(rig.home, 'daemon.log'), 'utf8')).toMatch(/was not compressed: no room\n/)
  expect(archivesIn(path)).toEqual([readLedger(rig.home, path).archives[0]?.name])
  expect(wholeLog(rig.home, path).text).toBe('one\n')
})

test('what is rotated after the end of its app is compressed too', async () => {
  await using rig = await createRig()
  const path = await applied(rig, {}, {})
  await rig.eco(['stop', 'api'])
  expect(await rig.eco(['logs', 'rotate', 'api'])).toMatchObject({ code: 0 })
  await eventually(() => expect(archivesIn(path)).toEqual([expect.stringMatching(/Z\.gz$/)]), PACKED_MS)
  expect(wholeLog(rig.home, path).text).toBe('one\n')
})
