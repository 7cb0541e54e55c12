import { bytes, error, fewOf, type Finding, type FindingId, ok, skipped, warning } from '../finding.ts'
import type { LimitFacts, Use } from '../look/limits.ts'

/** What the applied apps need of the machine. */
export interface Needs {
  /** Instances that are wanted, all together. */
  readonly instances: number
  readonly watching: readonly string[]
  /** Connections that may wait, by app. */
  readonly backlogs: readonly { readonly app: string; readonly backlog: number }[]
}

/** For each instance the daemon keeps its stat file open, and while it starts its log files, sockets and probes. */
const FILES_PER_INSTANCE = 6
const OWN_FILES = 60

export function judgeLimits(facts: LimitFacts, needs: Needs, isSystemd: boolean): Finding[] {
  return [
    judgeFiles(facts, needs, isSystemd),
    ...judgeInotify(facts, needs),
    judgeThreads(facts),
    ...judgePids(facts),
    judgeBacklogs(facts, needs),
    judgeMemory(facts),
  ]
}

function judgeFiles({ files }: LimitFacts, { instances }: Needs, isSystemd: boolean): Finding {
  if (files === null) return skipped('limits.open_files', 'the system does not say how many files may be open')
  const { used, soft, hard } = files
  const most = used === null ? hard : soft
  const needed = Math.max(used ?? 0, OWN_FILES + instances * FILES_PER_INSTANCE)
  // A unit says it for itself; a shell passes on what it has.
  const remedy = isSystemd ? 'eco startup' : 'ulimit -n 65536 && eco daemon stop && eco daemon start'
  const what = used === null ? `a daemon may have ${count(most)} open` : `the daemon has ${used} of ${count(most)} open`
  if (used !== null && used > most * 0.95)
    return error('limits.open_files', `Files: ${what}; no instance can start without`, remedy)
  if (needed > most * 0.8)
    return warning('limits.open_files', `Files: ${what}; ${instances} instances may need ${needed}`, remedy)
  return ok('limits.open_files', `files: ${what}`)
}

function judgeInotify({ inotifyInstances, inotifyWatches }: LimitFacts, { watching }: Needs): Finding[] {
  const of = (name: 'instances' | 'watches', use: Use | null): Finding => {
    const id: FindingId = `limits.inotify_${name}`
    if (use === null) return skipped(id, 'there is no inotify here')
    const text = `${use.used} of ${use.most} inotify ${name} of this user are in use`
    if (use.used < use.most * 0.9) return ok(id, text)
    if (watching.length === 0) return ok(id, `${text}; no app is watched`)
    const remedy = `sudo sysctl fs.inotify.max_user_${name}=${Math.max(use.most * 2, 1024)}`
    return warning(id, `${text}: changes of files may be missed`, remedy, { details: fewOf(watching) })
  }
  return [of('instances', inotifyInstances), of('watches', inotifyWatches)]
}

function judgeThreads({ threads }: LimitFacts): Finding {
  if (threads === null) return skipped('limits.threads', 'the system does not say how many threads it may have')
  const text = `${threads.used} of ${count(threads.most)} threads of this machine are there`
  if (threads.used < threads.most * 0.8) return ok('limits.threads', text)
  return warning(
    'limits.threads',
    `${text}: soon nothing can start any more`,
    'ps -eo nlwp,pid,args --sort=-nlwp | head',
  )
}

function judgePids({ cgroupPids }: LimitFacts): Finding[] {
  if (cgroupPids === null) return []
  const { used, most, path } = cgroupPids
  const text = `${used} of ${most} processes and threads are there in ${path}`
  if (used < most * 0.8) return [ok('limits.pids', text)]
  const name = path.slice(path.lastIndexOf('/') + 1)
  const isUnit = /\.(?:service|slice|scope)$/.test(name)
  const remedy = isUnit ? `sudo systemctl set-property --runtime ${name} TasksMax=infinity` : `cat ${path}/pids.max`
  return [warning('limits.pids', `${text}: soon the apps cannot start any more`, remedy)]
}

function judgeBacklogs({ somaxconn }: LimitFacts, { backlogs }: Needs): Finding {
  if (somaxconn === null) return skipped('limits.backlog', 'the system does not say how many connections may wait')
  const beyond = backlogs.filter(({ backlog }) => backlog > somaxconn)
  if (beyond.length === 0) return ok('limits.backlog', `up to ${somaxconn} connections may wait on a port`)
  const most = Math.max(...beyond.map(({ backlog }) => backlog))
  const text = `Only ${somaxconn} connections can wait on a port, and more is declared`
  return warning('limits.backlog', text, `sudo sysctl net.core.somaxconn=${most}`, {
    details: fewOf(beyond.map(({ app, backlog }) => `${app}: backlog ${backlog}`)),
  })
}

function judgeMemory({ memory }: LimitFacts): Finding {
  if (memory === null) return skipped('limits.memory', 'the system does not say how much memory it has')
  const text = `${bytes(memory.available)} of ${bytes(memory.total)} of memory are available`
  if (memory.available > memory.total * 0.05) return ok('limits.memory', text)
  return warning(
    'limits.memory',
    `${text}: the kernel may soon kill processes`,
    'ps -eo rss,pid,args --sort=-rss | head',
  )
}

function count(number: number): string {
  return number === Number.POSITIVE_INFINITY ? 'any number' : String(number)
}
