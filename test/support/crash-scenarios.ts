/** What a daemon is in the middle of when it crashes. */

import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Scenario } from './crash-point.ts'
import type { CrashRig } from './crash-rig.ts'
import { eventually } from './eventually.ts'
import { faultsOf, wholeLog } from './log-check.ts'
import { freePort } from './ports.ts'
import { fixture } from './rig.ts'

const QUICK = { rollout: { soak: '0ms' }, stop: { timeout: '3s' } }

function web(port: number, version: string, fields: object = {}): object {
  return {
    script: fixture('http-server.mjs'),
    instances: 2,
    listen: `127.0.0.1:${port}`,
    env: { VERSION: version },
    ready: { http: '/healthz', interval: '20ms', timeout: '5s' },
    ...QUICK,
    ...fields,
  }
}

function sleeper(version: string, fields: object = {}): object {
  return { command: ['sleep', '1000'], env: { VERSION: version }, ...QUICK, ...fields }
}

export async function firstApply(): Promise<Scenario> {
  const port = await freePort()
  const to = { apps: { db: sleeper('1'), api: web(port, '1', { depends_on: ['db'] }) } }
  return {
    name: 'a first apply of two apps, one of which needs the other',
    from: null,
    act: (rig) => rig.apply(to),
    allowed: [{ world: {} }, { world: { db: ['1'], api: ['1', '1'] }, file: to }],
    to,
    end: { db: ['1'], api: ['1', '1'] },
    port,
  }
}

export async function roll(): Promise<Scenario> {
  const port = await freePort()
  const file = (version: string): object => ({ apps: { api: web(port, version) } })
  return {
    name: 'a rolling apply of two instances that share a port',
    from: file('1'),
    act: (rig) => rig.apply(file('2')),
    allowed: [
      { world: { api: ['1', '1'] }, file: file('1') },
      { world: { api: ['2', '2'] }, file: file('2') },
    ],
    to: file('2'),
    end: { api: ['2', '2'] },
    port,
  }
}

export async function reload(): Promise<Scenario> {
  const port = await freePort()
  const from = { apps: { api: web(port, '1') } }
  return {
    name: 'a reload of two instances that share a port',
    from,
    act: (rig) => rig.eco(['reload', 'api']),
    allowed: [{ world: { api: ['1', '1'] }, file: from }],
    to: from,
    end: { api: ['1', '1'] },
    port,
  }
}

export async function scale(amount: number): Promise<Scenario> {
  const port = await freePort()
  const from = { apps: { api: web(port, '1') } }
  return {
    name: `a scale from 2 to ${amount} instances`,
    from,
    act: (rig) => rig.eco(['scale', 'api', String(amount)]),
    allowed: [
      { world: { api: ['1', '1'] }, file: from },
      { world: { api: Array.from({ length: amount }, () => '1') } },
    ],
    to: from,
    end: { api: ['1', '1'] },
    port,
  }
}

export async function stop(): Promise<Scenario> {
  const port = await freePort()
  const from = { apps: { api: web(port, '1'), other: sleeper('1') } }
  return {
    name: 'a stop with drain',
    from,
    act: (rig) => rig.eco(['stop', 'api']),
    allowed: [{ world: { api: ['1', '1'], other: ['1'] }, file: from }, { world: { other: ['1'] } }],
    to: from,
    end: { api: ['1', '1'], other: ['1'] },
    port,
    mayRefuse: true,
  }
}

export async function remove(): Promise<Scenario> {
  const port = await freePort()
  const from = { apps: { api: web(port, '1'), other: sleeper('1') } }
  return {
    name: 'a delete',
    from,
    act: (rig) => rig.eco(['delete', 'api', '--yes']),
    allowed: [
      { world: { api: ['1', '1'], other: ['1'] }, file: from },
      { world: { other: ['1'] }, file: { apps: { other: sleeper('1') } } },
    ],
    to: from,
    end: { api: ['1', '1'], other: ['1'] },
    port,
    mayRefuse: true,
  }
}

export async function badBuild(): Promise<Scenario> {
  const port = await freePort()
  const file = (version: string, fields?: object): object => ({ apps: { api: web(port, version, fields) } })
  const bad = { env: { VERSION: '2', HEALTH: '500' }, ready: { http: '/healthz', interval: '20ms', timeout: '600ms' } }
  return {
    name: 'the way back from a bad build',
    from: file('1'),
    act: (rig) => rig.apply(file('2', bad)),
    allowed: [{ world: { api: ['1', '1'] }, file: file('1') }],
    to: file('3'),
    end: { api: ['3', '3'] },
    port,
  }
}

export async function boot(): Promise<Scenario> {
  const port = await freePort()
  const from = {
    apps: { api: web(port, '1'), other: sleeper('1', { stop: { timeout: '3s' } }), down: sleeper('1') },
  }
  return {
    name: "a daemon's start, with instances to take over",
    from,
    setup: async (rig) => {
      expect(await rig.eco(['stop', 'down'])).toMatchObject({ code: 0 })
    },
    isBoot: true,
    act: (rig) => rig.eco(['ls']),
    allowed: [{ world: { api: ['1', '1'], other: ['1'] } }],
    to: from,
    end: { api: ['1', '1'], other: ['1'], down: ['1'] },
    port,
  }
}

export function wayBack(): Scenario {
  const file = (version: string): object => ({ apps: { api: sleeper(version, { instances: 2 }) } })
  const versions = (rig: CrashRig): string =>
    rig
      .runs()
      .map(({ version }) => version)
      .join()
  return {
    name: "a daemon's start that takes back half a rollout",
    from: file('1'),
    setup: async (rig) => {
      expect(await rig.apply(file('2'), '--no-wait')).toMatchObject({ code: 0 })
      await eventually(() => expect(versions(rig)).toMatch(/2/))
    },
    isBoot: true,
    act: async (rig) => {
      const result = await rig.eco(['ls'])
      await eventually(() => versions(rig) === '1,1', 3000).catch(() => {})
      return result
    },
    allowed: [
      { world: { api: ['1', '1'] }, file: file('1') },
      // It was over before the first crash.
      { world: { api: ['2', '2'] }, file: file('2') },
    ],
    to: file('2'),
    end: { api: ['2', '2'] },
  }
}

export async function stopAll(): Promise<Scenario> {
  const port = await freePort()
  const from = { apps: { api: web(port, '1'), other: sleeper('1', { depends_on: ['api'] }) } }
  return {
    name: 'eco daemon stop --apps',
    from,
    act: (rig) => rig.eco(['daemon', 'stop', '--apps']),
    allowed: [{ world: { api: ['1', '1'], other: ['1'] }, file: from }, { world: {} }],
    to: from,
    end: { api: ['1', '1'], other: ['1'] },
    port,
    mayRefuse: true,
  }
}

export async function job(): Promise<Scenario> {
  const file = (version: string): object => ({
    apps: {
      migrate: {
        kind: 'job',
        command: ['sh', '-c', 'echo $VERSION >> runs; sleep 0.3'],
        env: { VERSION: version },
      },
      api: sleeper(version, { depends_on: { migrate: 'completed' } }),
    },
  })
  return {
    name: 'a job that runs before its app is rolled',
    from: file('1'),
    act: (rig) => rig.apply(file('2')),
    allowed: [{ world: { api: ['1'] } }, { world: { api: ['2'] }, file: file('2') }],
    to: file('2'),
    end: { api: ['2'] },
    check: (rig) => {
      const runs = readFileSync(join(rig.dir, 'runs'), 'utf8').split('\n').filter(Boolean)
      expect(runs.filter((version) => version === '1')).toHaveLength(1)
      expect(runs.filter((version) => version === '2').length).toBeLessThanOrEqual(1)
    },
  }
}

export function hold(): Scenario {
  const from = { apps: { api: sleeper('1') } }
  return {
    name: 'a stop with --for, and its end',
    from,
    act: async (rig) => {
      const result = await rig.eco(['stop', 'api', '--for', '700ms'])
      await eventually(() => rig.runs().length > 0, 3000).catch(() => {})
      return result
    },
    allowed: [{ world: { api: ['1'] }, file: from }],
    to: from,
    end: { api: ['1'] },
  }
}

/** Of two apps, one on the disk and one in memory: the file systems have different methods. */
export function rotation(): Scenario {
  const memory = join('/dev/shm', `eco-logs-${randomUUID()}`)
  const logs = { max_size: '1G', compress: 'none', keep: 100 }
  const writer = (id: string, out?: string): object => ({
    command: [process.execPath, fixture('log-writer.mjs'), id, '10000', 'pace'],
    env: { VERSION: '1' },
    logs: { ...logs, ...(out === undefined ? {} : { out }) },
    ...QUICK,
    ready: { log: '0000000000' },
  })
  const inMemory = join(memory, 'm.log')
  const from = { apps: { disk: writer('d'), memory: writer('m', inMemory) } }
  return {
    name: 'the rotation of logs',
    from,
    setup: async () => onTestFinished(() => rmSync(memory, { recursive: true, force: true })),
    act: async (rig) => {
      const result = await rig.eco(['logs', 'rotate'])
      await eventually(() => {
        for (const id of ['d', 'm']) expect(existsSync(join(rig.dir, `${id}.done`))).toBe(true)
      })
      return result
    },
    allowed: [{ world: { disk: ['1'], memory: ['1'] }, file: from }],
    to: from,
    end: { disk: ['1'], memory: ['1'] },
    check: (rig) => {
      const onDisk = join(rig.home, 'scopes/demo/default/logs/disk-0.out.log')
      for (const [path, id] of [
        [onDisk, 'd'],
        [inMemory, 'm'],
      ] as const) {
        const { text, ledger } = wholeLog(rig.home, path)
        expect(ledger.pending).toBeNull()
        expect(faultsOf(text, { [id]: 10_000 })).toEqual([])
        const left = readdirSync(dirname(path)).filter((name) => name.startsWith('.'))
        expect(left).toEqual([])
        const names = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`))
        expect(names).toEqual(ledger.archives.map(({ name }) => name))
      }
    },
  }
}

export const SCENARIOS: readonly (() => Scenario | Promise<Scenario>)[] = [
  firstApply,
  roll,
  reload,
  () => scale(3),
  () => scale(1),
  stop,
  remove,
  badBuild,
  boot,
  wayBack,
  stopAll,
  job,
  hold,
  rotation,
]
