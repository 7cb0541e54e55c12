import { chmodSync, lstatSync, rmSync } from 'node:fs'
import type { Finding, Fix } from './finding.ts'

export interface Fixed {
  readonly fix: Fix
  /** null: it was done. */
  readonly failure: string | null
}

/** Does what the findings offer, and nothing else. */
export function fixAll(findings: readonly Finding[]): Fixed[] {
  return findings.flatMap(({ fixes }) => fixes).map((fix) => ({ fix, failure: whyNot(fix) }))
}

export function describeFix(fix: Fix): string {
  switch (fix.type) {
    case 'chmod':
      return `chmod ${fix.mode.toString(8).padStart(4, '0')} ${fix.path}`
    case 'remove':
      return `rm ${fix.path}`
  }
}

function whyNot(fix: Fix): string | null {
  try {
    // Followed, a link somebody put there meanwhile would change a file of another place.
    if (lstatSync(fix.path).isSymbolicLink()) return 'it is a symbolic link'
    if (fix.type === 'chmod') chmodSync(fix.path, fix.mode)
    else rmSync(fix.path)
    return null
  } catch (error) {
    return (error as Error).message
  }
}
