/** Eight commands at once, with no daemon and with one that is killed again and again: one daemon, and no command lies. */

import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { daemons } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, type EcoResult, type Rig } from '../support/rig.ts'

/** ECO_ROUNDS=50 for the long run. */
const ROUNDS = Number(process.env['ECO_ROUNDS'] ?? 5)
const TIMEOUT_MS = ROUNDS * 20_000 + 30_000

const sleeper = { command: ['sleep', '1000'], rollout: { soak: '0ms' } }

interface Command {
  readonly args: readonly string[]
  readonly isRead: boolean
}

/** Three projects that are applied, each with its file. */
async function threeProjects(rig: Rig): Promise<(name: string, version: number) => string> {
  const file = (name: string, version: number): string =>
    rig.write(`${name}/ecosystem.yaml`, { apps: { [name]: { ...sleeper, env: { VERSION: String(version) } } } })
  for (const name of ['one', 'two', 'three']) {
    expect(await rig.eco(['apply', file(name, 0), '--yes'])).toMatchObject({ code: 0 })
  }
  return file
}

function mix(file: (name: string, version: number) => string, round: number): Command[] {
  const one = file('one', round)
  return [
    { args: ['ls', '--json'], isRead: true },
    { args: ['diff', one], isRead: true },
    { args: ['describe', 'two', '--json'], isRead: true },
    { args: ['apply', one, '--yes'], isRead: false },
    { args: ['apply', one, '--yes'], isRead: false },
    { args: ['apply', one, '--yes'], isRead: false },
    { args: ['scale', 'two', String(1 + (round % 3))], isRead: false },
    { args: ['reload', 'three'], isRead: false },
  ]
}

const told = (results: readonly EcoResult[], commands: readonly Command[]): string[] =>
  results.map(({ code, stderr }, i) => `${commands[i]?.args.join(' ')}: ${code} ${code === 0 ? '' : stderr}`.trim())

test(
  'eight commands at once with no daemon: one daemon, and all succeed',
  async () => {
    await using rig = await createRig()
    const file = await threeProjects(rig)
    for (let round = 1; round <= ROUNDS; round++) {
      // Ended in two ways by turns: properly, and so that its socket stays behind.
      if (round % 2 === 0) await rig.eco(['daemon', 'stop'])
      else for (const pid of daemons(rig)) kill(pid)
      await eventually(() => expect(daemons(rig)).toEqual([]))
      const commands = mix(file, round)
      const results = await Promise.all(commands.map(({ args }) => rig.eco(args)))
      expect(told(results, commands)).toEqual(commands.map(({ args }) => `${args.join(' ')}: 0`))
      await eventually(() => expect(daemons(rig)).toHaveLength(1))
      expect(await rig.app('one')).toMatchObject({ revision: 1 + round, ready: 1 })
      expect(await rig.app('two')).toMatchObject({ ready: 1 + (round % 3) })
    }
  },
  TIMEOUT_MS,
)

test(
  'the same apply eight times at once is one apply, and all are told how it went',
  async () => {
    await using rig = await createRig()
    for (let round = 1; round <= ROUNDS; round++) {
      for (const pid of daemons(rig)) kill(pid)
      await eventually(() => expect(daemons(rig)).toEqual([]))
      rig.write('ecosystem.yaml', { apps: { api: { ...sleeper, env: { VERSION: String(round) } } } })
      const results = await Promise.all(Array.from({ length: 8 }, () => rig.eco(['apply', '--yes'])))
      expect(results.map(({ code, stderr }) => (code === 0 ? '' : stderr))).toEqual(results.map(() => ''))
      expect(await rig.app('api')).toMatchObject({ revision: round, ready: 1 })
      expect(await rig.pids('api')).toHaveLength(1)
    }
  },
  TIMEOUT_MS,
)

test(
  'eight commands at once while the daemon is killed again and again: reads succeed, changes succeed or say what became of them',
  async () => {
    await using rig = await createRig()
    const file = await threeProjects(rig)
    for (let round = 1; round <= ROUNDS; round++) {
      const commands = mix(file, round)
      let isOver = false
      const killer = (async () => {
        for (let turn = 0; !isOver; turn++) {
          const [daemon] = daemons(rig)
          // By turns: wherever it is, and once it serves; if none ever did, no command could get its answer.
          if (turn % 2 === 1) await eventually(() => isOver || isServed(rig)).catch(() => {})
          await new Promise((done) => setTimeout(done, 50 + ((round * 137 + turn * 61) % 400)))
          if (daemon !== undefined && !isOver) kill(daemon)
        }
      })()
      const results = await Promise.all(commands.map(({ args }) => rig.eco(args)))
      isOver = true
      await killer
      const wrong = results.filter(({ code, stderr }, i) => {
        if (code === 0) return false
        if (commands[i]?.isRead) return true
        if (/The daemon ended before it answered/.test(stderr)) return code !== 6 && code !== 7
        // Beside another change of the same scope.
        return !(code === 5 && /is busy|a newer apply came/.test(stderr))
      })
      expect(told(wrong, commands), told(results, commands).join('\n')).toEqual([])
      // Whatever was cut off: what is applied runs, once.
      await eventually(async () => {
        const apps = await rig.ls()
        expect(apps.map(({ app }) => app)).toEqual(['one', 'three', 'two'])
        for (const { wanted, hold, ready, instances } of apps) {
          expect(ready).toBe(hold?.instances ?? wanted)
          expect(instances).toHaveLength(ready)
        }
      }, 20_000)
      expect(daemons(rig)).toHaveLength(1)
      const known = (await rig.ls()).flatMap(({ instances }) => instances.map(({ pid }) => pid))
      const sleeping = processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => isRunning(pid) && isSleep(pid))
      expect(new Set(sleeping)).toEqual(new Set(known))
    }
    // And nothing is stuck.
    expect(await rig.eco(['apply', file('one', 99), '--yes'])).toMatchObject({ code: 0 })
  },
  TIMEOUT_MS,
)

function isServed(rig: Rig): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(join(rig.home, 'eco.sock'))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function isSleep(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep')
  } catch {
    return false
  }
}
