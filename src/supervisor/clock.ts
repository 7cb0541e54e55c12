import type { EpochMs } from '../model/ids.ts'

/**
 * Epoch milliseconds that never jump: deadlines and up times must not follow an operator or an NTP daemon who sets the
 * clock of the machine. Equal to the wall clock when this process began.
 */
export function steadyNow(): EpochMs {
  return performance.timeOrigin + performance.now()
}

/** What a clock on the wall showed, or will show, at a moment of the steady clock. */
export function toWall(at: EpochMs): EpochMs {
  return Math.round(at - steadyNow() + Date.now())
}

export function fromWall(at: EpochMs): EpochMs {
  return at - Date.now() + steadyNow()
}
