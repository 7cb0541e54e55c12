/** `eco logs rotate` and `eco logs flush`, and what becomes of the archives. */

import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readLedger } from '../../src/logs/ledger.ts'
import { eventually } from '../support/eventually.ts'
import { wholeLog } from '../support/log-check.ts'
import { createRig, type Rig } from '../support/rig.ts'

/** An archive stays as it is for ten seconds. */
const PACKED_MS = 30_000

const says = (text: string): string[] => ['sh', '-c', `echo '${text}'; exec sleep 1000`]
const logOf = (rig: Rig, app: string, stream = 'out'): string =>
  join(rig.home, `scopes/demo/default/logs/${app}-0.${stream}.log`)

function archivesOf(path: string): string[] {
  return readdirSync(dirname(path)).filter(
    (name) => path.endsWith(name.replace(/\.\d{8}T.*$/, '')) && !path.endsWith(name),
  )
}

test('rotate: what is there goes to an archive, which is compressed, and the app goes on in the same file', async () => {
  await using rig = await createRig()
  await rig.apply({
    apps: {
      api: { command: ['sh', '-c', 'echo one; until [ -e go ]; do sleep 0.05; done; echo two; exec sleep 1000'] },
    },
  })
  const path = logOf(rig, 'api')
  await eventually(() => expect(readFileSync(path, 'utf8')).toBe('one\n'))
  const before = statSync(path).ino
  const result = await rig.eco(['logs', 'rotate', 'api', '--json'])
  expect(result.code).toBe(0)
  expect(result.json().files).toMatchObject([
    { app: 'api', instance: 'api#0', stream: 'out', path, result: 'rotated', bytes: 4, reason: null },
    { stream: 'err', result: 'empty', archive: null },
  ])
  await eventually(
    () => expect(archivesOf(path)).toEqual([expect.stringMatching(/^api-0\.out\.log\.\d{8}T\d{6}\.\d{3}Z\.gz$/)]),
    PACKED_MS,
  )
  const [name = ''] = archivesOf(path)
  const archive = join(dirname(path), name)
  expect(gunzipSync(readFileSync(archive)).toString()).toBe('one\n')
  expect(statSync(archive).mode & 0o777).toBe(0o600)
  await eventually(() =>
    expect(readLedger(rig.home, path)).toMatchObject({ archives: [{ name, compression: 'gzip' }] }),
  )
  rig.write('go', 'go')
  await eventually(() => expect(wholeLog(rig.home, path).text).toBe('one\ntwo\n'))
  expect(statSync(path).ino).toBe(before)
  expect(readFileSync(path, 'utf8').trim()).toBe('two')
}, 60_000)

test('rotate of an app that is stopped, and of nothing', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: says('hello'), logs: { compress: 'none' } } } })
  await eventually(() => expect(rig.output('api')).toBe('hello\n'))
  await rig.eco(['stop', 'api'])
  const rotated = await rig.eco(['logs', 'rotate', 'api'])
  expect(rotated.stdout).toMatch(/^api#0 out  rotated, 6 bytes to api-0\.out\.log\.\d+T[\d.]+Z\napi#0 err  empty\n$/)
  const again = await rig.eco(['logs', 'rotate', 'api'])
  expect(again).toMatchObject({ code: 0, stdout: 'api#0 out  empty\napi#0 err  empty\n' })
  expect(wholeLog(rig.home, logOf(rig, 'api')).text).toBe('hello\n')
})

const REFUSED: readonly [what: string, act: (path: string) => void, why: RegExp][] = [
  [
    'a symbolic link',
    (path) => {
      renameSync(path, `${path}.elsewhere`)
      symlinkSync(`${path}.elsewhere`, path)
    },
    /not rotated: it is a symbolic link/,
  ],
  ['a file with a second name', (path) => linkSync(path, `${path}.same`), /it has more than one name/],
]

test.each(REFUSED)('rotate refuses %s, and says so with its exit code', async (_, act, why) => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: says('hello') } } })
  const path = logOf(rig, 'api')
  await eventually(() => expect(rig.output('api')).toBe('hello\n'))
  act(path)
  const result = await rig.eco(['logs', 'rotate', 'api'])
  expect(result.code).toBe(7)
  expect(result.stdout).toMatch(why)
  expect(readFileSync(path, 'utf8')).toBe('hello\n')
})

test('flush empties the files of a running app and removes their archives, once it is confirmed', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: says('hello'), logs: { compress: 'none' } } } })
  const path = logOf(rig, 'api')
  await eventually(() => expect(rig.output('api')).toBe('hello\n'))
  await rig.eco(['logs', 'rotate', 'api'])
  const asked = await rig.eco(['logs', 'flush', 'api'])
  expect(asked.code).toBe(5)
  expect(asked.stderr).toContain('--yes')
  expect(archivesOf(path)).toHaveLength(1)
  const flushed = await rig.eco(['logs', 'flush', 'api', '--yes', '--json'])
  expect(flushed).toMatchObject({ code: 0 })
  expect(flushed.json().files).toMatchObject([
    { instance: 'api#0', stream: 'out', result: 'flushed', archives: 1 },
    { stream: 'err', result: 'flushed', bytes: 0, archives: 0 },
  ])
  expect(archivesOf(path)).toEqual([])
  expect(statSync(path).size).toBe(0)
  const [pid] = await rig.pids('api')
  expect(pid).toBeGreaterThan(0)
  expect(readLedger(rig.home, path)).toMatchObject({ archives: [], filler: 0, pending: null })
})

test('at most `keep` archives stay, and rotation: off leaves the file alone', async () => {
  await using rig = await createRig()
  const talks = ['sh', '-c', 'while :; do printf "%099d\\n" 0 0 0 0 0 0 0 0 0 0; done']
  const logs = { max_size: '64K', keep: 2, compress: 'none' }
  const apps = { kept: { command: talks, logs }, alone: { command: talks, logs: { ...logs, rotation: 'off' } } }
  await rig.apply({ apps })
  const path = logOf(rig, 'kept')
  // Newer ones have taken the place of the first.
  await eventually(() => expect(readLedger(rig.home, path).archives[0]?.start ?? 0).toBeGreaterThan(0), 20_000)
  await eventually(() => expect(archivesOf(path).length).toBeLessThanOrEqual(2))
  expect(archivesOf(logOf(rig, 'alone'))).toEqual([])
  expect(statSync(logOf(rig, 'alone')).size).toBeGreaterThan(200_000)
})

test('ready: log is found across a rotation, and words of the run before are not', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'echo "server is up"; exec sleep 1000']
  await rig.apply({ apps: { api: { command, ready: { log: 'server is up' }, logs: { max_size: '64K' } } } })
  const path = logOf(rig, 'api')
  await rig.eco(['logs', 'rotate', 'api'])
  expect(readFileSync(path, 'utf8').trim()).toBe('')
  const slow = [
    'sh',
    '-c',
    'i=0; while [ $i -lt 3000 ]; do echo "$i starting ........................................"; i=$((i+1)); done; echo "server is up"; exec sleep 1000',
  ]
  const applied = await rig.apply({
    apps: { api: { command: slow, ready: { log: 'server is up', timeout: '15s' }, logs: { max_size: '64K' } } },
  })
  expect(applied).toMatchObject({ code: 0 })
  const never = ['sh', '-c', 'echo nothing; exec sleep 1000']
  const failed = await rig.apply({
    apps: { api: { command: never, ready: { log: 'server is up', timeout: '2s' }, logs: { max_size: '64K' } } },
  })
  expect(failed.code).not.toBe(0)
})

test('what an earlier daemon began to compress is done by the next', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: says('hello'), logs: { compress: 'none' } } } })
  const path = logOf(rig, 'api')
  await eventually(() => expect(rig.output('api')).toBe('hello\n'))
  await rig.eco(['logs', 'rotate', 'api'])
  const [name = ''] = archivesOf(path)
  await rig.eco(['daemon', 'stop'])
  const half = join(dirname(path), `${name}.gz.tmp`)
  writeFileSync(half, 'half')
  await rig.eco(['daemon', 'start'])
  await eventually(() => expect(existsSync(half)).toBe(false))
  await rig.apply({ apps: { api: { command: says('hello'), logs: { compress: 'gzip' } } } })
  await rig.eco(['logs', 'rotate', 'api'])
  await eventually(() => expect(archivesOf(path)).toEqual([`${name}.gz`]), PACKED_MS)
}, 60_000)
