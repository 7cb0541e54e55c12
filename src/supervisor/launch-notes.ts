import { type ProcessAttributes, RLIMITS, type RlimitName } from '../model/spec.ts'
import { fromUlimit } from './launch-script.ts'

/**
 * Sentences for what a starting process could not do to itself: what is so, why, and what would help.
 *
 * @param report the lines of the launch script: an item, and what it got or what it was told
 */
export function launchNotes(report: string, attributes: ProcessAttributes): string[] {
  return report.split('\n').flatMap((line) => {
    const space = line.indexOf(' ')
    const item = space < 0 ? line : line.slice(0, space)
    const rest = space < 0 ? '' : line.slice(space + 1)
    return noteOf(item, rest, attributes) ?? []
  })
}

function noteOf(item: string, rest: string, { nice, oomScoreAdj, rlimits }: ProcessAttributes): string | null {
  switch (item) {
    case 'oom_score_adj':
      return `oom_score_adj is not ${oomScoreAdj}: the system does not allow it (lowering it needs CAP_SYS_RESOURCE)`
    case 'nice':
      return `nice is not ${nice}: ${lastPart(rest)} (a value below the daemon's own needs root or CAP_SYS_NICE)`
    default:
      return isRlimit(item) ? rlimitNote(item, rest, rlimits[item]) : null
  }
}

function rlimitNote(name: RlimitName, got: string, wanted: number | 'unlimited' | undefined): string {
  const is = fromUlimit(name, got) ?? 'unknown'
  const higher = `start the daemon with a higher hard limit${UNIT_SETTING[name] ? ` (${UNIT_SETTING[name]}= of its unit)` : ''}`
  return `ulimits.${name} is ${is}, not ${wanted ?? 'set'}: the system allows no more; ${higher}`
}

const UNIT_SETTING: Readonly<Record<RlimitName, string>> = {
  nofile: 'LimitNOFILE',
  nproc: 'LimitNPROC',
  core: 'LimitCORE',
  fsize: 'LimitFSIZE',
  stack: 'LimitSTACK',
  memlock: 'LimitMEMLOCK',
}

function isRlimit(item: string): item is RlimitName {
  return (RLIMITS as readonly string[]).includes(item)
}

/** `renice: failed to set priority for 7 (process ID): Permission denied` → `Permission denied`. */
function lastPart(text: string): string {
  return text.slice(text.lastIndexOf(': ') + 1).trim() || 'the system does not allow it'
}
