/** What `eco doctor` knows of logs, made to happen. */

import { chmodSync, closeSync, ftruncateSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRig, type EcoOptions, type Rig } from '../support/rig.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const sleeper = { command: ['sleep', '1000'] }

interface Finding {
  readonly id: string
  readonly level: string
  readonly message: string
  readonly details: readonly string[]
  readonly remedy: string | null
}

async function logs(rig: Rig, options: EcoOptions = {}): Promise<(id: string) => Finding[]> {
  const { findings } = (await rig.eco(['doctor', '--json'], options)).json() as { findings: Finding[] }
  return (id) => findings.filter((finding) => finding.id === id)
}

/** As large as that without taking the room. */
function grow(path: string, size: number): void {
  const fd = openSync(path, 'a', 0o600)
  ftruncateSync(fd, size)
  closeSync(fd)
}

test('how the logs of each folder are rotated, and what they may grow to', async () => {
  await using rig = await createRig()
  const own = { logs: { out: 'logs/api.log', merge: true, max_size: '1M', keep: 4, compress: 'none' } }
  expect(await rig.apply({ apps: { api: { ...sleeper, ...own }, plain: sleeper } })).toMatchObject({ code: 0 })
  const of = await logs(rig)
  const folders = of('logs.rotation').flatMap(({ details }) => details)
  expect(new Set(folders)).toEqual(new Set([join(rig.dir, 'logs'), join(rig.home, 'scopes/demo/default/logs')]))
  for (const { message, level } of of('logs.rotation')) {
    expect(level).toBe('ok')
    expect(message).toMatch(/: logs are rotated .*\((?:collapse|stopped-copy): .+\)$/)
  }
  // 5 MiB of the one, and of the two others 20 MiB with ten archives of a fifth of that.
  expect(of('logs.limits').map(({ message }) => message)).toEqual([
    expect.stringMatching(/^3 log files can grow to 125 MiB /),
  ])
  expect(of('apps.logs')).toMatchObject([{ level: 'ok' }])
})

test('a disk that cannot hold what the limits allow, and one without room', async (context) => {
  await using rig = await createRig()
  const folder = join(rig.dir, 'logs')
  mountSmallDisk(context, folder, 'size=64m')
  const api = (more: object): object => ({
    apps: { api: { ...sleeper, logs: { out: 'logs/api.log', merge: true, ...more } } },
  })
  expect(await rig.apply(api({ max_size: '60M' }))).toMatchObject({ code: 0 })
  const [limits] = (await logs(rig))('logs.limits').filter(({ level }) => level === 'warning')
  expect(limits).toMatchObject({ details: ['demo/default/api'], remedy: 'eco explain logs.total_size' })
  const size = /set logs\.total_size to (\d+M)/.exec(limits?.message ?? '')?.[1]
  // What it says helps.
  expect(await rig.apply(api({ max_size: '10M', total_size: size }))).toMatchObject({ code: 0 })
  const after = await logs(rig)
  expect(after('logs.limits').map(({ level }) => level)).toEqual([
    'ok',
    ...after('logs.limits')
      .slice(1)
      .map(() => 'ok'),
  ])
  expect(after('logs.rotation')).toMatchObject([{ message: expect.stringContaining('tmpfs: ') }])

  expect(after('logs.room')).toEqual([])
  writeFileSync(join(folder, 'ballast'), Buffer.alloc(64 * 2 ** 20 - 2 ** 18))
  expect((await logs(rig))('logs.room')).toMatchObject([{ level: 'error', remedy: expect.stringContaining(folder) }])
})

test('logs that are symlinks, closed, huge and not rotated, or rotated with losses', async () => {
  await using rig = await createRig()
  const app = (name: string, more: object = {}): object => ({
    ...sleeper,
    logs: { out: `logs/${name}.log`, merge: true, ...more },
  })
  const apps = {
    link: app('link'),
    folder: app('folder'),
    unrotated: app('unrotated', { rotation: 'off' }),
    lossy: app('lossy', { rotation: 'copytruncate' }),
    packed: app('packed', { compress: 'zstd' }),
    silent: { ...sleeper, logs: { out: 'none', err: 'none' } },
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const path = (name: string): string => join(rig.dir, `logs/${name}.log`)
  const before = await logs(rig)
  for (const id of ['logs.symlink', 'logs.unrotated', 'apps.log_size']) expect(before(id), id).toEqual([])
  expect(before('apps.logs')).toMatchObject([{ level: 'ok' }])
  expect(before('logs.copytruncate')).toMatchObject([{ details: [`${path('lossy')} of demo/default/lossy`] }])

  rmSync(path('link'))
  const target = rig.write('passwd', '')
  symlinkSync(target, path('link'))
  rmSync(path('folder'))
  mkdirSync(path('folder'))
  mkdirSync(join(path('folder'), 'x'))
  grow(path('unrotated'), 3 * 2 ** 30)
  const of = await logs(rig)
  expect(of('logs.symlink')).toMatchObject([
    {
      level: 'error',
      message: expect.stringContaining(`${path('link')} is a symlink to ${target}`),
      remedy: `rm ${path('link')} && eco reload link --project demo --env default`,
    },
  ])
  expect(of('apps.logs')).toMatchObject([{ level: 'error', message: expect.stringContaining(path('folder')) }])
  expect(of('logs.unrotated')).toMatchObject([{ message: expect.stringContaining('3.0 GiB') }])
  expect(of('apps.log_size')).toMatchObject([
    {
      message: expect.stringContaining(path('unrotated')),
      remedy: 'eco logs flush unrotated --project demo --env default',
    },
  ])
})

test('programs that a policy wants and that are not there', async (context) => {
  if ('createZstdCompress' in (await import('node:zlib'))) return context.skip() // this Node needs no program
  await using rig = await createRig()
  const app = { ...sleeper, logs: { compress: 'zstd' } }
  expect(await rig.apply({ apps: { packed: app } })).toMatchObject({ code: 0 })
  const bare = rig.write('bin/keep', '')
  const env = { PATH: join(bare, '..') }
  const of = await logs(rig, { env })
  expect(of('logs.programs').map(({ message }) => message)).toEqual([
    expect.stringContaining('zstd'),
    expect.stringContaining('fallocate'),
  ])
  rig.write('bin/zstd', '#!/bin/sh\n')
  chmodSync(join(bare, '../zstd'), 0o755)
  expect((await logs(rig, { env }))('logs.programs')).toMatchObject([{ message: expect.stringContaining('fallocate') }])
})

test('output by way of a spool that nothing can trim', async () => {
  await using rig = await createRig()
  const stamped = { ...sleeper, logs: { format: 'json' } }
  expect(await rig.apply({ apps: { api: stamped, plain: sleeper } })).toMatchObject({ code: 0 })
  expect((await logs(rig))('logs.spools')).toEqual([])
  const bin = join(rig.dir, 'bin')
  mkdirSync(bin)
  expect((await logs(rig, { env: { PATH: bin } }))('logs.spools')).toMatchObject([
    { level: 'warning', message: expect.stringContaining('fallocate'), details: [expect.stringContaining('api')] },
  ])
})
