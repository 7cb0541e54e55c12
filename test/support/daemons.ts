import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import { isRunning, kill, processesWith } from './processes.ts'
import type { Rig } from './rig.ts'

/** The daemons of this rig, as the kernel knows them. */
export function daemons(rig: Rig): number[] {
  return processesWith(`ECO_HOME=${rig.home}`).filter((pid) => {
    try {
      return isRunning(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('daemon.cjs')
    } catch {
      return false
    }
  })
}

/** kill -9, to its end. */
export async function killDaemon(rig: Rig): Promise<void> {
  const daemon = await rig.daemonPid()
  kill(daemon)
  await eventually(() => expect(isRunning(daemon)).toBe(false))
}
