import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { type ProcessAttributes, RLIMITS, type RlimitName } from '../model/spec.ts'

/** What a process must do to itself between its start and the program it becomes. */
export interface Preparation {
  readonly attributes: Pick<ProcessAttributes, 'umask' | 'nice' | 'oomScoreAdj' | 'rlimits'>
  /** LISTEN_PID must be the pid of the program itself, which only the process that becomes it can know. */
  readonly listenPid: boolean
  /** Where to say what could not be done, one item a line; one digit, or null: nowhere. */
  readonly reportFd: number | null
}

/** The flags of ulimit (the second is for dash and busybox, which know no -u), and the bytes of its unit. */
const ULIMIT: Readonly<Record<RlimitName, { readonly flags: readonly string[]; readonly unit: number }>> = {
  nofile: { flags: ['n'], unit: 1 },
  nproc: { flags: ['u', 'p'], unit: 1 },
  core: { flags: ['c'], unit: 512 },
  fsize: { flags: ['f'], unit: 512 },
  stack: { flags: ['s'], unit: 1024 },
  memlock: { flags: ['l'], unit: 1024 },
}

/**
 * The argv of a shell that prepares itself and then turns into the command, so that the pid stays; the command itself
 * when there is nothing to prepare.
 */
export function prepared(command: readonly string[], preparation: Preparation): readonly string[] {
  const steps = stepsOf(preparation)
  if (steps.length === 0 && !preparation.listenPid) return command
  const { reportFd, listenPid } = preparation
  const become = `${listenPid ? 'LISTEN_PID=$$ ' : ''}exec "$@"${reportFd === null ? '' : ` ${reportFd}>&-`}`
  return ['/bin/sh', '-c', [...steps, become].join('\n'), 'sh', ...command]
}

/** Whether there are steps that the system may refuse, and so something to report. */
export function mayReport({ nice, oomScoreAdj, rlimits }: Preparation['attributes']): boolean {
  return nice !== null || oomScoreAdj !== null || Object.keys(rlimits).length > 0
}

function stepsOf({ attributes, reportFd }: Preparation): string[] {
  const { umask, nice, oomScoreAdj, rlimits } = attributes
  const report = (text: string): string => (reportFd === null ? ':' : `echo "${text}" >&${reportFd}`)
  const steps: string[] = []
  if (oomScoreAdj !== null) {
    steps.push(`echo ${oomScoreAdj} 2>/dev/null >/proc/self/oom_score_adj || ${report('oom_score_adj')}`)
  }
  // Before the limits: it is a program of its own, and they may allow none.
  if (nice !== null) steps.push(`m=$(renice ${nice} -p $$ 2>&1) || ${report('nice $m')}`)
  for (const name of RLIMITS) {
    const value = rlimits[name]
    if (value !== undefined) steps.push(limitStep(name, value, report))
  }
  if (umask !== SPEC_DEFAULTS.attributes.umask) steps.push(`umask ${umask.toString(8).padStart(3, '0')}`)
  return steps
}

/** Soft and hard alike. What the system refuses becomes as much as it allows. */
function limitStep(name: RlimitName, value: number | 'unlimited', report: (text: string) => string): string {
  const { flags, unit } = ULIMIT[name]
  const wanted = value === 'unlimited' ? value : String(Math.ceil(value / unit))
  const set = flags.map((flag) => `ulimit -${flag} ${wanted} 2>/dev/null`).join(' || ')
  const most = flags.map((flag) => `ulimit -${flag} "$(ulimit -H -${flag})" 2>/dev/null`).join(' || ')
  const got = flags.map((flag) => `ulimit -H -${flag} 2>/dev/null`).join(' || ')
  return `${set} || { ${most}; ${report(`${name} $(${got})`)}; }`
}

/** The size in bytes, or the count, that a number printed by ulimit means. */
export function fromUlimit(name: RlimitName, text: string): number | 'unlimited' | null {
  if (text === 'unlimited') return text
  const value = Number(text)
  return text === '' || Number.isNaN(value) ? null : value * ULIMIT[name].unit
}
