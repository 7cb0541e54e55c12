import { writeSync } from 'node:fs'

/** Into the log of the daemon, whose stderr the scribe has. */
export function noteProblem(message: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} scribe: ${message}\n`)
  } catch {
    // Nobody reads it any more.
  }
}
