/** What /proc says of processes. Linux only, like the bench. */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** USER_HZ: fixed at 100 in what the kernel shows to programs, so CPU times have steps of 10 ms. */
const TICK_MS = 10

export function pids() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** A file of a process; empty when the process is gone or not ours to read. */
export function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Resident memory, and the same with shared pages divided among their users. */
export function memory(pid) {
  const rollup = read(pid, 'smaps_rollup')
  const megabytes = (field) => (Number(rollup.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))?.[1]) * 1024) / 1e6
  return { rss: megabytes('Rss'), pss: megabytes('Pss') }
}

/** User and system time so far; or that of its children that have ended. 0 once it is gone. */
export function cpuMs(pid, { ofChildren = false } = {}) {
  const fields = read(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ')
  const first = ofChildren ? 13 : 11
  return (Number(fields[first] ?? 0) + Number(fields[first + 1] ?? 0)) * TICK_MS
}

/**
 * Waits until `count` processes run whose command line begins with `program`.
 *
 * @returns {Promise<number>} the moment, on the clock of performance.now()
 */
export async function untilRunning(program, count, { timeout = 60_000 } = {}) {
  const deadline = performance.now() + timeout
  const others = new Set(pids().filter((pid) => !read(pid, 'cmdline').startsWith(program)))
  const running = new Set()
  for (;;) {
    for (const pid of pids()) {
      if (!others.has(pid) && !running.has(pid) && read(pid, 'cmdline').startsWith(program)) running.add(pid)
    }
    const now = performance.now()
    if (running.size >= count) return now
    if (now > deadline)
      throw new Error(`only ${running.size} of ${count} processes of ${program} ran after ${timeout} ms`)
    await pause(5)
  }
}

/** Waits until no process matches. */
export async function untilGone(matches, { timeout = 30_000 } = {}) {
  const deadline = performance.now() + timeout
  for (;;) {
    const left = pids().filter(matches)
    if (left.length === 0) return
    if (performance.now() > deadline) throw new Error(`${left.length} processes are still there: ${left.join(' ')}`)
    await pause(20)
  }
}
