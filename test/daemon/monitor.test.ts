import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Monitor, sumTrees, type Usage } from '../../src/daemon/monitor.ts'
import type { ProcStat } from '../../src/supervisor/proc.ts'
import { eventually } from '../support/eventually.ts'
import { startChild, startNode } from '../supervisor/children.ts'

function stat(pid: number, ppid: number, session: number, ticks = 1, rssPages = 10): ProcStat {
  return { pid, state: 'S', ppid, pgrp: session, session, ticks, childTicks: 0, startTime: pid, rssPages }
}

describe('sumTrees', () => {
  const sums = (stats: readonly ProcStat[], leaders: number[]): Record<number, { ticks: number; pages: number }> =>
    Object.fromEntries([...sumTrees(stats, new Set(leaders))].map(([pid, { ticks, pages }]) => [pid, { ticks, pages }]))

  test('adds children, grandchildren and those of the session whose parent is gone', () => {
    const stats = [stat(100, 1, 100), stat(101, 100, 100), stat(102, 101, 102), stat(103, 1, 100), stat(200, 1, 200)]
    expect(sums(stats, [100])).toEqual({ 100: { ticks: 4, pages: 40 } })
  })

  test('keeps siblings apart, and a leader below another one to itself', () => {
    const stats = [stat(100, 1, 100), stat(200, 1, 200, 5), stat(300, 100, 300, 7)]
    expect(sums(stats, [100, 200, 300])).toEqual({
      100: { ticks: 1, pages: 10 },
      200: { ticks: 5, pages: 10 },
      300: { ticks: 7, pages: 10 },
    })
  })

  test('counts the time of children that have ended', () => {
    expect(sums([{ ...stat(100, 1, 100), childTicks: 50 }], [100])).toEqual({ 100: { ticks: 51, pages: 10 } })
  })

  test('knows nothing of a leader that is gone, and survives a circle of parents', () => {
    expect(sums([stat(5, 6, 5), stat(6, 5, 6)], [100])).toEqual({})
  })

  test('names those that belong to nobody', () => {
    const strangers = new Set<number>()
    sumTrees([stat(100, 1, 100), stat(101, 100, 100), stat(7, 1, 7)], new Set([100]), strangers)
    expect([...strangers]).toEqual([7])
  })
})

describe('the monitor', () => {
  const ask = (monitor: Monitor, pid: number): Usage | null => {
    monitor.look()
    return monitor.usageOf(pid)
  }

  test('measures the whole tree', async () => {
    const shell = startChild([
      '/bin/sh',
      '-c',
      `"${process.execPath}" -e "globalThis.kept = Buffer.alloc(8e7, 1); setInterval(() => {}, 1e6); console.log(1)"; true`,
    ])
    await shell.line()
    const monitor = new Monitor(() => [shell.pid])
    expect(ask(monitor, shell.pid)?.memoryBytes).toBeGreaterThan(8e7)
    expect(monitor.usageOf(2 ** 22 + 1)).toBe(null)
  })

  test('the first answer measures from the start of the process, the next from an earlier look', async () => {
    const busy = startNode('console.log(1); for (;;);')
    await busy.line()
    const monitor = new Monitor(() => [busy.pid])
    const started = performance.now()
    const first = await eventually(() => {
      const usage = ask(monitor, busy.pid)
      expect(usage?.cpuPercent).toBeGreaterThan(10)
      return usage
    })
    expect(first?.cpuPercent).toBeLessThan(150)
    expect(first?.cpuWindowMs).toBeLessThan(performance.now() - started + 5000)
    // However often somebody asks: never over so short a time that a clock tick looks like a load.
    for (const until = performance.now() + 2500; performance.now() < until; await pause(60)) {
      const usage = ask(monitor, busy.pid)
      expect(usage?.cpuPercent).toBeGreaterThan(0)
      expect(usage?.cpuPercent).toBeLessThan(150)
    }
    expect(ask(monitor, busy.pid)?.cpuWindowMs).toBeGreaterThanOrEqual(1000)
    expect(ask(monitor, busy.pid)?.cpuWindowMs).toBeLessThan(2000)
  })

  test('a shell that runs one short command after another is busy', async () => {
    const shell = startChild([
      '/bin/sh',
      '-c',
      'echo 1; while :; do head -c 3000000 /dev/zero | cksum >/dev/null; done',
    ])
    await shell.line()
    const monitor = new Monitor(() => [shell.pid])
    await pause(1200)
    expect(ask(monitor, shell.pid)?.cpuPercent).toBeGreaterThan(15)
  })

  test('sees processes that come later, and not those of the instance before in the same place', async () => {
    const [one, two] = [startChild(['/bin/sleep', '30']), startChild(['/bin/sleep', '30'])]
    let pids = [one.pid]
    const monitor = new Monitor(() => pids)
    expect(ask(monitor, two.pid)).toBe(null)
    pids = [two.pid]
    await eventually(() => ask(monitor, two.pid) !== null)
    expect(monitor.usageOf(one.pid)).toBe(null)
  })

  test('forgets everything once nothing runs', async () => {
    let pids = [process.pid]
    const monitor = new Monitor(() => pids)
    expect(ask(monitor, process.pid)).not.toBe(null)
    pids = []
    await eventually(() => ask(monitor, process.pid) === null)
  })
})
