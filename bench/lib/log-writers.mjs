/** The writers of apps/logs/ under each contestant: the floor (stdout is a file), eco and PM2. */

import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { countLines } from './log-lines.mjs'
import { cpuMs, read } from './proc.mjs'
import { findPython } from './python.mjs'

const app = (file) => fileURLToPath(new URL(`../apps/logs/${file}`, import.meta.url))
const python = findPython()

/** @type {Record<string, { label: string, command: string[], env?: Record<string, string> }>} */
export const WRITERS = {
  console: { label: 'console.log', command: [process.execPath, app('writer.cjs')], env: { WRITE: 'console' } },
  stdout: { label: 'stdout.write', command: [process.execPath, app('writer.cjs')], env: { WRITE: 'stdout' } },
  ...(python === null ? {} : { python: { label: 'Python', command: [python, app('writer.py')] } }),
}

const QUIET_MS = 500

/**
 * Who runs a writer. `daemons`: the processes that work for it beside the app; `files`: its output, oldest first.
 *
 * @typedef {object} Host
 * @property {(writer: { command: string[], env: Record<string, string>, name: string }) => Promise<unknown>} start
 * @property {() => Promise<number[]>} daemons
 * @property {(name: string) => string[]} files
 * @property {(name: string) => Promise<unknown>} remove
 * @property {() => Promise<unknown>} revive
 */

/** @returns {Host} */
export function floorHost(scratch) {
  const folder = scratch.makeFolder('floor')
  return {
    async start({ command, env, name }) {
      const fds = ['out', 'err'].map((stream) => openSync(join(folder, `${name}.${stream}.log`), 'a'))
      spawn(command[0], command.slice(1), { env: scratch.env(env), cwd: folder, stdio: ['ignore', ...fds] })
      for (const fd of fds) closeSync(fd)
    },
    daemons: async () => [],
    files: (name) => [join(folder, `${name}.out.log`)],
    remove: async (name) => removeAll(folder, name),
    revive: async () => {},
  }
}

/**
 * @param {object} logs as in the ecosystem file
 * @returns {Host}
 */
export function ecoHost(eco, scratch, logs = {}) {
  const folder = (name) => join(eco.env.ECO_HOME, 'scopes', name, 'bench', 'logs')
  return {
    start({ command, env, name }) {
      const writer = { command, env, logs, restart: { policy: 'never' } }
      const file = { project: name, apps: { writer }, environments: { bench: {} } }
      return eco.apply(scratch.write(`${name}.json`, JSON.stringify(file)))
    },
    daemons: async () => [await eco.daemonPid()],
    files(name) {
      const rotated = list(folder(name), /^writer-0\.out\.log\.\d/)
      return [...rotated, join(folder(name), 'writer-0.out.log')]
    },
    async remove(name) {
      await eco.deleteAll(name)
      rmSync(folder(name), { recursive: true, force: true })
    },
    revive: () => eco.start(),
  }
}

/** @returns {Host} */
export function pm2Host(pm2, scratch) {
  const folder = join(pm2.env.PM2_HOME, 'logs')
  return {
    start({ command: [interpreter, script], env, name }) {
      const app = { name, script, interpreter, env, autorestart: false }
      return pm2.startFile(scratch.write(`${name}.pm2.json`, JSON.stringify({ apps: [app] })))
    },
    async daemons() {
      const modules = (await pm2.list()).filter(({ pm2_env }) => pm2_env.axm_options?.isModule)
      return [await pm2.daemonPid(), ...modules.map(({ pid }) => pid)]
    },
    files(name) {
      const rotated = list(folder, new RegExp(`^${name}-out__`))
      return [...rotated, join(folder, `${name}-out.log`)]
    },
    async remove(name) {
      await pm2.attempt('delete', name)
      removeAll(folder, name)
    },
    revive: () => pm2.start(),
  }
}

let runs = 0

/**
 * One run of a writer, from the first line until nothing more comes.
 *
 * @param {Host} host
 * @param {object} options
 * @param {{ command: string[], env?: object }} options.writer
 * @param {number} options.lines
 * @param {object} [options.env]
 * @param {(name: string) => Promise<() => Promise<object>>} [options.watch] begins before the first line; what it returns
 *   is called after the last one
 * @param {(run: { pid: number, control: string }) => Promise<object>} [options.during] goes on while it writes
 * @param {number} [options.quietMs] how long nothing may have changed at the end
 * @returns {Promise<object>} what was found in the files, what the writer reports (null: it did not come to that), the
 *   CPU time of who works for it, and what `watch` and `during` returned
 */
export async function runWriter(host, scratch, { writer, lines, env = {}, watch, during, quietMs = QUIET_MS }) {
  runs += 1
  const name = `w${runs}`
  const control = scratch.makeFolder(`control-${name}`)
  const settings = { ...writer.env, LINES: String(lines), FOLDER: control, ...env }
  await host.start({ command: writer.command, env: settings, name })
  const pid = Number(await untilNoted(control, 'started'))
  const daemons = await host.daemons()
  await pause(QUIET_MS)
  const finish = await watch?.(name)
  const before = daemons.map(cpuWithChildren)
  writeFileSync(join(control, 'go'), '')
  const seen = (await during?.({ pid, control })) ?? {}
  await untilDone(pid, control)
  await untilQuiet(host, name, daemons, quietMs)
  const cpu = daemons.reduce((sum, it, index) => sum + cpuWithChildren(it) - before[index], 0)
  const watched = (await finish?.()) ?? {}
  writeFileSync(join(control, 'leave'), '')
  await untilEnded(pid)
  const report = existsSync(join(control, 'report.json'))
    ? JSON.parse(readFileSync(join(control, 'report.json'), 'utf8'))
    : null
  const files = host.files(name).filter((file) => existsSync(file))
  const counted = await countLines(files, lines)
  await host.revive()
  await host.remove(name)
  return { ...counted, files: files.length, report, daemonCpuMs: cpu, ...seen, ...watched }
}

/** Of a process, and of those of its children that have ended, such as compressors. */
function cpuWithChildren(pid) {
  return cpuMs(pid) + cpuMs(pid, { ofChildren: true })
}

export async function untilNoted(control, name, { timeout = 60_000 } = {}) {
  const deadline = performance.now() + timeout
  while (!existsSync(join(control, name))) {
    if (performance.now() > deadline) throw new Error(`the writer did not get to ${name} within ${timeout / 1000} s`)
    await pause(2)
  }
  return readFileSync(join(control, name), 'utf8')
}

/** Until the writer has reported, or is gone. */
async function untilDone(pid, control, { timeout = 180_000 } = {}) {
  const deadline = performance.now() + timeout
  while (!existsSync(join(control, 'report.json')) && !hasEnded(pid)) {
    if (performance.now() > deadline) throw new Error(`the writer was not done within ${timeout / 1000} s`)
    await pause(10)
  }
}

async function untilEnded(pid, { timeout = 10_000 } = {}) {
  const deadline = performance.now() + timeout
  while (!hasEnded(pid)) {
    if (performance.now() > deadline)
      throw new Error(`the writer, process ${pid}, did not end within ${timeout / 1000} s`)
    await pause(10)
  }
}

function hasEnded(pid) {
  const state = read(pid, 'stat').replace(/^.*\) /, '')[0]
  return state === undefined || state === 'Z'
}

/** Until the files no longer change, and the daemons have nothing to do. */
async function untilQuiet(host, name, daemons, quietMs) {
  let before = ''
  for (let quiet = 0; quiet < quietMs; quiet += 100) {
    const sizes = host.files(name).map((file) => `${file} ${existsSync(file) ? statSync(file).size : -1}`)
    const busy = daemons.map((pid) => Math.floor(cpuMs(pid) / 50))
    const now = JSON.stringify([sizes, busy])
    if (now !== before) quiet = 0
    before = now
    await pause(100)
  }
}

function list(folder, pattern) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .toSorted()
    .map((name) => join(folder, name))
}

function removeAll(folder, name) {
  for (const file of list(folder, new RegExp(`^${name}[.-]`))) rmSync(file, { force: true })
}
