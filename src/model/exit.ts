import type { Exit } from './observed.ts'
import type { ExitStatus } from './spec.ts'

/** Whether a process ended in one of these ways. */
export function isOneOf(exit: Exit | null, statuses: readonly ExitStatus[]): boolean {
  if (exit?.kind === 'code') return statuses.includes(exit.code)
  return exit?.kind === 'signal' && statuses.includes(exit.signal as NodeJS.Signals)
}
