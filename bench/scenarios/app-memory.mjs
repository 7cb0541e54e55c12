/**
 * What being managed costs an app in memory: PSS of 10 managed copies against 10 bare ones of the same program, for one
 * that is not Node and for a Node server with the preload (a shared socket, and the ready signal).
 */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { memory } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, median, row, skipped } from '../lib/stats.mjs'

export const rounds = 3

const COPIES = 10
const PORT = 18_300
const SETTLE_MS = 2000
const server = fileURLToPath(new URL('../apps/listening.cjs', import.meta.url))

export async function run({ scratch, eco, missing, rounds: count }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const sleep = scratch.sleepProgram()
  await eco.start()
  const rows = []
  for (const { label, argv, app, atMost } of [
    { label: 'sleep', argv: [sleep, '1000000'], app: {}, atMost: 0.1 },
    { label: 'Node server', argv: [process.execPath, server], app: { ready: 'signal' }, atMost: 1 },
  ]) {
    const figures = await takeTurns(count, {
      bare: () => bare(argv, scratch),
      managed: () => managed(argv, app, { scratch, eco }),
    })
    rows.push(row(`${label}: bare`, 'MB', figures.bare), row(`${label}: managed`, 'MB', figures.managed))
    const extra = differences(figures.managed, figures.bare)
    rows.push(row(`${label}: managed - bare`, 'MB', extra, { atMost }))
  }
  return rows
}

async function bare(argv, scratch) {
  const children = Array.from({ length: COPIES }, (_, index) =>
    spawn(argv[0], argv.slice(1), {
      env: scratch.env({ PORT: String(PORT + index) }),
      stdio: 'ignore',
      detached: true,
    }),
  )
  const figure = await pssOf(children.map(({ pid }) => pid))
  const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ended)
  return figure
}

async function managed(argv, app, { scratch, eco }) {
  const apps = Object.fromEntries(
    Array.from({ length: COPIES }, (_, index) => [
      `app${index}`,
      { command: argv, ...app, ...(app.ready ? { listen: `127.0.0.1:${PORT + index}` } : {}) },
    ]),
  )
  await eco.apply(
    scratch.write('memory.json', JSON.stringify({ project: 'memory', apps, environments: { bench: {} } })),
  )
  const figure = await pssOf(await eco.pids())
  await eco.deleteAll('memory')
  return figure
}

async function pssOf(pids) {
  await pause(SETTLE_MS)
  return median(pids.map((pid) => memory(pid).pss))
}
