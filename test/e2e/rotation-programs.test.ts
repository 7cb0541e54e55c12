/** What rotates and compresses are programs: they may be missing, or fail. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/logs/ledger.ts'
import { killDaemon } from '../support/daemons.ts'
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

const FALLOCATE = execFileSync('sh', ['-c', 'command -v fallocate || true'], { encoding: 'utf8' }).trim()
/** Writes 300 kB when it finds the file `more` in its folder. */
const ON_REQUEST = `while :; do if [ -e more ]; then rm more; head -c 297000 /dev/zero | tr '\\0' x | fold -w 99; echo; fi; sleep 0.05; done`

/** An app, on a file system that can collapse, with a fallocate of its own. */
async function collapsing(rig: Rig, fallocate: string): Promise<string | null> {
  const { PATH } = programs(rig, { fallocate })
  const path = join(rig.home, 'scopes/demo/default/logs/api-0.out.log')
  rig.write('ecosystem.yaml', {
    apps: {
      api: { command: ['sh', '-c', ON_REQUEST], env: { PATH: process.env['PATH'] }, logs: { compress: 'none' } },
    },
  })
  const env = { PATH: `${PATH}:${process.env['PATH']}` }
  expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
  const doctor = await rig.eco(['doctor', '--verbose'], { env })
  if (!doctor.stdout.includes('takes bytes off the head')) return null
  await more(rig, path)
  // With the first rotation the daemon finds out how.
  expect(await rig.eco(['logs', 'rotate', 'api'])).toMatchObject({ code: 0 })
  await more(rig, path)
  return path
}

async function more(rig: Rig, path: string): Promise<void> {
  const before = statSync(path).size
  rig.write('more', '')
  await eventually(() => expect(statSync(path).size).toBeGreaterThanOrEqual(before + 300_000))
}

test('a collapse whose program dies once it is done is one that is done', async (context) => {
  await using rig = await createRig()
  const path = await collapsing(rig, `${FALLOCATE} "$@"; code=$?; [ -e ${rig.dir}/dies ] && kill -9 $$; exit $code`)
  if (path === null) return context.skip()
  rig.write('dies', '')
  expect(await rig.eco(['logs', 'rotate', 'api'])).toMatchObject({ code: 0 })
  await more(rig, path)
  expect(wholeLog(rig.home, path).text).toMatch(/^(x{99}\n){9000}\n*$/)
})

test('a collapse that is under way when its daemon is killed is not done twice', async (context) => {
  await using rig = await createRig()
  const held = `if [ -e ${rig.dir}/hold ]; then rm ${rig.dir}/hold; until [ -e ${rig.dir}/go ]; do sleep 0.05; done; fi; exec ${FALLOCATE} "$@"`
  const path = await collapsing(rig, held)
  if (path === null) return context.skip()
  const hold = rig.write('hold', '')
  const rotating = rig.eco(['logs', 'rotate', 'api'])
  await eventually(() => expect(existsSync(hold)).toBe(false))
  await killDaemon(rig)
  await rotating
  await more(rig, path)
  expect(await rig.eco(['daemon', 'start'])).toMatchObject({ code: 0 })
  await eventually(() =>
    expect(readLedger(rig.home, path)).toMatchObject({ pending: null, archives: [{ start: 0 }, {}] }),
  )
  rig.write('go', '')
  await more(rig, path)
  expect(wholeLog(rig.home, path).text).toMatch(/^(x{99}\n){12000}\n*$/)
})
