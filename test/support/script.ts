import { execFileSync } from 'node:child_process'

/** Whether script(1), which gives a program a terminal, works here. Says so where it does not. */
export function findScript(): boolean {
  try {
    const said = execFileSync('script', ['-qec', 'echo works', '/dev/null'], { encoding: 'utf8', input: '' })
    if (said.includes('works')) return true
  } catch {
    // It is not installed, or may have no terminal.
  }
  process.stderr.write('SKIPPED: no script(1) here, so nothing was tried on a terminal\n')
  return false
}
