import { describe, expect, test } from 'vitest'
import { Monitor, sumTrees } from '../../src/daemon/monitor.ts'
import type { ProcStat } from '../../src/supervisor/proc.ts'
import { eventually, startChild, startNode } from '../supervisor/children.ts'

function stat(pid: number, ppid: number, session: number, ticks = 1, rssPages = 10): ProcStat {
  return { pid, state: 'S', ppid, pgrp: session, session, ticks, startTime: 1, rssPages }
}

describe('sumTrees', () => {
  const sums = (stats: readonly ProcStat[], leaders: number[]): Record<number, { ticks: number; pages: number }> =>
    Object.fromEntries(sumTrees(stats, new Set(leaders)))

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

  test('knows nothing of a leader that is gone, and survives a circle of parents', () => {
    expect(sums([stat(5, 6, 5), stat(6, 5, 6)], [100])).toEqual({})
  })
})

describe('the monitor', () => {
  test('measures the whole tree', async () => {
    const shell = startChild([
      '/bin/sh',
      '-c',
      `"${process.execPath}" -e "globalThis.kept = Buffer.alloc(8e7, 1); setInterval(() => {}, 1e6); console.log(1)"; true`,
    ])
    await shell.line()
    const monitor = new Monitor(() => [shell.pid])
    const usage = monitor.usageOf(shell.pid)
    expect(usage?.cpuPercent).toBe(null)
    expect(usage?.memoryBytes).toBeGreaterThan(8e7)
    expect(monitor.usageOf(2 ** 22 + 1)).toBe(null)
  })

  test('a new instance does not make the others look busy', async () => {
    const busy = startNode('console.log(1); for (;;);')
    await busy.line()
    const pids = [busy.pid]
    const monitor = new Monitor(() => pids)
    monitor.start()
    await eventually(() => (monitor.usageOf(busy.pid)?.cpuPercent ?? 0) > 0)
    for (let i = 0; i < 20; i++) {
      const fresh = startChild(['/bin/sleep', '30'])
      pids.push(fresh.pid)
      expect(monitor.usageOf(fresh.pid)?.cpuPercent).toBe(null)
      const percent = monitor.usageOf(busy.pid)?.cpuPercent
      expect(percent).toBeGreaterThan(0)
      expect(percent).toBeLessThan(150)
    }
    monitor.stop()
  })

  test('forgets everything once nothing runs', () => {
    let pids = [process.pid]
    const monitor = new Monitor(() => pids)
    expect(monitor.usageOf(process.pid)).not.toBe(null)
    pids = []
    expect(monitor.usageOf(1)).toBe(null)
    expect(monitor.usageOf(process.pid)).toBe(null)
  })
})
