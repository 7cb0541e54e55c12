import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { ECO } from './binary.ts'
import { eventually } from './eventually.ts'
import { fixture, type Rig } from './rig.ts'

/** Starts the rig's daemon with a wall clock that `jump` moves. */
export async function withMovableClock(rig: Rig): Promise<(ms: number) => void> {
  const file = join(rig.dir, 'clock')
  const daemon = join(dirname(ECO), 'daemon.cjs')
  const child = spawn(process.execPath, ['--require', fixture('moved-clock.cjs'), daemon], {
    env: { ...rig.env, CLOCK_FILE: file },
    stdio: 'ignore',
    detached: true,
  })
  child.unref()
  await eventually(async () => expect(await rig.daemonPid()).toBe(child.pid))
  return (ms) => void rig.write('clock', String(ms))
}
