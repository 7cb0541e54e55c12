/**
 * A command follows a writer of 20,000 lines a second for 50 s while its file is rotated at 10 MB: which lines it shows, and
 * shows whole and once, and what it works. pm2-logrotate looks once a second, as in log-rotation.
 */

import { spawn } from 'node:child_process'
import { closeSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { countLines } from '../lib/log-lines.mjs'
import { ecoHost, pm2Host, runWriter, WRITERS } from '../lib/log-writers.mjs'
import { installLogrotate, startWithLogrotate } from '../lib/logrotate.mjs'
import { cpuMs } from '../lib/proc.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 1

const LINES = 1_000_000
const PACE = '20000'
const START_MS = 4000
const LOGROTATE = { max_size: '10M', retain: '50', compress: 'true', workerInterval: '1' }

export async function run({ scratch, eco, pm2, missing, rounds: count, quick, say }) {
  const lines = quick ? LINES / 4 : LINES
  const reason = missing.pm2 ?? (await installLogrotate())
  await eco?.start()
  if (reason === null) await startWithLogrotate(pm2, LOGROTATE)
  const sides = {
    ...(eco ? { eco: ecoSide(eco, scratch) } : {}),
    ...(reason === null ? { pm2: pm2Side(pm2, scratch) } : {}),
  }
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (let round = 0; round < count; round += 1) {
    for (const [name, { host, follow }] of Object.entries(sides)) {
      const watch = (writer) => following(follow(writer), scratch, lines)
      results[name].push(await runWriter(host, scratch, { writer: WRITERS.stdout, lines, env: { PACE }, watch }))
    }
    say(`  round ${round + 1} of ${count}`)
  }
  return [
    ...Object.entries(results).flatMap(([name, runs]) => followRows(name, runs)),
    ...(eco ? [] : [skipped('eco', missing.eco)]),
    ...(reason === null ? [] : [skipped('pm2 with pm2-logrotate', reason)]),
  ]
}

function followRows(name, runs) {
  const none = name === 'eco' ? { atMost: 0 } : {}
  const files = runs.map((it) => it.files).join(', ')
  const inFiles = `${runs.map((it) => it.lost).join(', ')} are in none of the ${files} files`
  const shown = (key) => runs.map((it) => it.shown[key])
  return [
    row(`${name}: lines not shown`, 'lines', shown('lost'), { ...none, note: inFiles, details: runs }),
    row('  shown torn', 'lines', shown('torn'), none),
    row('  shown twice', 'lines', shown('doubled'), none),
    row('  shown after a later one', 'lines', shown('backwards'), none),
    row(
      '  CPU of the command',
      'ms',
      runs.map(({ commandCpuMs }) => commandCpuMs),
    ),
    row(
      '  CPU of the daemon and its helpers',
      'ms',
      runs.map(({ daemonCpuMs }) => daemonCpuMs),
    ),
  ]
}

function ecoSide(eco, scratch) {
  const follow = (name) => ({
    argv: [...eco.command, 'logs', '--env', 'bench', '--project', name, '--lines', '0', '--raw'],
    env: eco.env,
  })
  return { host: ecoHost(eco, scratch, { max_size: '10M', keep: 50 }), follow }
}

function pm2Side(pm2, scratch) {
  const follow = (name) => ({ argv: [...pm2.command, 'logs', name, '--lines', '0', '--raw'], env: pm2.env })
  return { host: pm2Host(pm2, scratch), follow }
}

/** @returns {Promise<() => Promise<object>>} ends it, and says what it has shown */
async function following({ argv, env }, scratch, lines) {
  const file = join(scratch.folder, 'shown.log')
  const fd = openSync(file, 'w')
  const command = spawn(argv[0], argv.slice(1), { env, cwd: scratch.folder, stdio: ['ignore', fd, 'ignore'] })
  closeSync(fd)
  await pause(START_MS)
  const preface = statSync(file).size
  const cpuBefore = cpuMs(command.pid)
  return async () => {
    for (let [size, now] = [-1, statSync(file).size]; now !== size; now = statSync(file).size) {
      size = now
      await pause(2000)
    }
    const commandCpuMs = cpuMs(command.pid) - cpuBefore
    command.kill('SIGINT')
    return { commandCpuMs, shown: await countLines([file], lines, { from: preface }) }
  }
}
