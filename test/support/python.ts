import { execFileSync } from 'node:child_process'

/** The interpreter itself: a version manager's wrapper needs its own HOME. null: there is no Python here. */
export function findPython(): string | null {
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}
