/**
 * One Node app in the foreground, as in a container: from the spawn of the command until the app's first line is read
 * from its stdout, and then the memory of the supervisor, without the app's, three seconds later (RSS of the command
 * itself and of whatever it started beside the app). The floor is `node app.js`.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { ecosystemFile } from '../lib/eco.mjs'
import { memory, pids, read } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 7

const SETTLE_MS = 3000
const WORD = 'the app says hello'

export async function run({ scratch, eco, pm2, missing, rounds: count }) {
  const app = scratch.write('app.cjs', `console.log('${WORD}')\nsetInterval(() => {}, 60_000)\n`)
  const file = scratch.write('one.yaml', ecosystemFile('one', 1, { command: [process.execPath, app] }))
  const memories = { node: [], eco: [], pm2: [] }
  const turn = (name, command, env) => async (round) => {
    const { ms, megabytes } = await measure(command, { env, cwd: scratch.folder }, app, scratch)
    if (round >= 0) memories[name].push(megabytes)
    return ms
  }
  const turns = { node: turn('node', [process.execPath, app], scratch.env()) }
  if (eco) turns.eco = turn('eco', [...eco.command, 'run', file, '--env', 'bench'], eco.env)
  if (pm2) turns.pm2 = turn('pm2', [...pm2.runtime, app], pm2.env)
  const samples = await takeTurns(count, turns)
  return [
    row('node app.js, first line', 'ms', samples.node),
    ...(eco
      ? [
          row('eco run, first line', 'ms', samples.eco),
          row('eco run, beyond node', 'ms', differences(samples.eco, samples.node)),
          row('eco run / node', 'x', ratios(samples.eco, samples.node)),
          row('eco run, memory beside the app', 'MB', memories.eco),
        ]
      : [skipped('eco run', missing.eco)]),
    ...(pm2
      ? [
          row('pm2-runtime, first line', 'ms', samples.pm2),
          row('pm2-runtime / node', 'x', ratios(samples.pm2, samples.node)),
          row('pm2-runtime, memory beside the app', 'MB', memories.pm2),
        ]
      : [skipped('pm2-runtime', missing.pm2)]),
    ...(eco && pm2
      ? [
          row('eco run / pm2-runtime, first line', 'x', ratios(samples.eco, samples.pm2), { atMost: 0.75 }),
          row('eco run / pm2-runtime, memory', 'x', ratios(memories.eco, memories.pm2), { atMost: 1 }),
        ]
      : []),
  ]
}

async function measure([program, ...args], options, app, scratch) {
  const started = performance.now()
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  let text = ''
  const ms = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no first line within 30 s: ${text}`)), 30_000)
    child.stderr.on('data', (chunk) => (text += chunk))
    child.stdout.on('data', (chunk) => {
      text += chunk
      if (!text.includes(WORD)) return
      clearTimeout(timer)
      resolve(performance.now() - started)
    })
  })
  await pause(SETTLE_MS)
  const isApp = (pid) => read(pid, 'cmdline') === `${process.execPath}\0${app}\0`
  const beside = pids().filter((pid) => scratch.owns(pid) && !isApp(pid))
  const megabytes = beside.reduce((sum, pid) => sum + memory(pid).rss, 0)
  child.kill('SIGTERM')
  await ended
  return { ms, megabytes }
}
