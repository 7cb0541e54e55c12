import { callOrStart } from '../../daemon/ensure.ts'
import type { AppDescription, ListedInstance, ListedRun, Selection } from '../../daemon/protocol.ts'
import { field, specLines } from '../describe-spec.ts'
import { neutralise } from '../../config/diagnostic.ts'
import { lastLinesFrom } from '../../logs/by-address.ts'
import { showSpec } from '../../model/instance-values.ts'
import { outcomeText } from '../../model/runs.ts'
import { describeExit } from '../../model/observed.ts'
import type { AppSpec } from '../../model/spec.ts'
import { formatDuration } from '../../planner/duration.ts'
import type { StoredEvent } from '../../model/events.ts'
import { latest, storedEvents } from '../../state/event-reader.ts'
import { localTime } from '../event-text.ts'
import { ecoHome } from '../../state/paths.ts'
import { bytes, duration, firstLine, furtherLines } from '../../daemon/listing-text.ts'

const LOG_LINES = 5
const STDERR_LINES = 10
const EVENTS = 10
const RUNS = 10

/** `eco describe`: what an app is, what its instances do, and what happened to them. */
export async function describe(selection: Selection, json: boolean): Promise<void> {
  const home = ecoHome()
  const { apps: known } = await callOrStart('describe', selection, { home })
  const apps = known.map((app): DescribedApp => ({
    ...app,
    spec: showSpec(app.spec),
    instances: app.instances.map((instance) => withStderr(instance, app)),
    events: eventsOf(app, home),
  }))
  if (json) process.stdout.write(`${JSON.stringify({ format_version: '1.0', apps })}\n`)
  else process.stdout.write(`${apps.map(describeApp).join('\n')}`)
}

interface DescribedApp extends Omit<AppDescription, 'instances'> {
  readonly instances: readonly DescribedInstance[]
  readonly events: readonly StoredEvent[]
}

interface DescribedInstance extends ListedInstance {
  /** The last lines of its stderr: of this run, or of those before when this one has written none. */
  readonly stderr: readonly string[]
}

function withStderr(instance: ListedInstance, { logs }: AppDescription): DescribedInstance {
  const log = logs.find((it) => it.instance === instance.id && it.stream === 'err')
  return { ...instance, stderr: log ? lastLinesFrom(ecoHome(), log.path, STDERR_LINES, 0) : [] }
}

/** The latest events of an app: from the files, and those that a full disk keeps out of them. */
function eventsOf(app: AppDescription, home: string): StoredEvent[] {
  const { project, environment } = app
  const matches = (event: StoredEvent): boolean => event.app === app.app
  const { events, last } = storedEvents(
    home,
    { project, environment },
    { since: null, until: null, limit: EVENTS, matches },
  )
  return latest([...events, ...app.unwritten_events.filter(({ seq }) => seq > last)], EVENTS)
}

function describeApp(app: DescribedApp): string {
  const lines = [
    `${app.project}/${app.environment}/${app.app}  ${app.kind}, ${app.state}${app.kind === 'service' ? `, ${app.ready} of ${app.wanted} ready` : ''}`,
    ...(app.instances.length === 0 && app.reason !== null ? [`  why: ${neutralise(app.reason)}`] : []),
    ...app.instances.flatMap((instance) => instanceLines(instance, app)),
    ...field('file', app.source_file),
    ...field('revision', `${app.revision}, version ${app.version} of the app`),
    ...field(
      'hold',
      app.hold &&
        `${app.hold.verb} (${app.hold.instances} instances) by ${app.hold.by} since ${localTime(app.hold.at)}${app.hold.until === null ? '' : ` until ${localTime(app.hold.until)}`}`,
    ),
    ...field(
      'schedule',
      app.schedule && `${app.schedule}, next ${app.next_run_at === null ? 'never' : localTime(app.next_run_at)}`,
    ),
    ...specLines(app.spec),
    ...runLines(app.runs),
    ...eventLines(app),
    ...app.logs.flatMap(({ path, stream, instance }) => {
      // Told with the instance already.
      if (stream === 'err' && app.instances.some((it) => it.id === instance && (!it.ready || it.restarts > 0)))
        return []
      const last = lastLinesFrom(ecoHome(), path, LOG_LINES, 0)
      return last.length === 0
        ? []
        : [`  ${instance} ${stream}: ${path}`, ...last.map((line) => `    ${neutralise(line)}`)]
    }),
  ]
  return `${lines.join('\n')}\n`
}

/** What it is doing and why, in one line; then what is known beside it. */
function instanceLines(instance: DescribedInstance, app: DescribedApp): string[] {
  const facts = [
    ...(instance.pid === null ? [] : [`pid ${instance.pid}`]),
    ...(instance.started_at === null ? [] : [`up ${duration(Date.now() - Date.parse(instance.started_at))}`]),
    `version ${instance.version}`,
    ...(instance.restarts > 0 ? [again(instance.restarts, app.spec)] : []),
    ...(instance.memory_bytes === null ? [] : [bytes(instance.memory_bytes)]),
    ...(instance.cpu_percent === null || instance.cpu_window_ms === null
      ? []
      : [`${instance.cpu_percent}% cpu over ${duration(instance.cpu_window_ms)}`]),
  ]
  const exit = instance.last_exit
  const isWell = instance.ready && instance.restarts === 0
  return [
    `  ${instance.id}  ${causalLine(instance, app.spec)}`,
    ...moreLines(instance.reason),
    `    ${facts.join(', ')}`,
    ...(instance.notes ?? []).map((note) => `    note: ${note}`),
    ...(exit === null
      ? []
      : [`    last exit: ${firstLine(describeExit(exit))}, ${localTime(exit.at)} (${ago(exit.at)})`]),
    ...(isWell || instance.stderr.length === 0
      ? []
      : ['    its last words on stderr:', ...instance.stderr.map((line) => `      ${neutralise(line)}`)]),
  ]
}

/** `2 restarts`, and of a job `1 retry`. */
function again(count: number, { kind }: AppSpec): string {
  if (kind === 'service') return `${count} restart${count === 1 ? '' : 's'}`
  return `${count} ${count === 1 ? 'retry' : 'retries'}`
}

/** `backoff: exited with code 1; next attempt at 12:03:14 (in 3s), restart 4 of 16 within 60s` */
function causalLine(instance: ListedInstance, { restart, kind }: AppSpec): string {
  const { state, ready, reason, next_attempt_at: next, recent_restarts: count } = instance
  const name = state === 'running' && kind === 'service' ? (ready ? 'running, ready' : 'running, not ready') : state
  const attempt =
    next === null ? '' : `; next attempt at ${localTime(next).slice(11)} (${inText(Date.parse(next) - Date.now())})`
  const limit = kind === 'service' && count > 0 && state !== 'failed'
  const restarts = limit ? `; restart ${count} of ${restart.max} within ${formatDuration(restart.windowMs)}` : ''
  const why = reason === null ? '' : `: ${neutralise(firstLine(reason))}`
  return `${name}${why}${attempt}${restarts}`
}

function moreLines(reason: string | null): string[] {
  return reason === null ? [] : furtherLines(reason).map((line) => `    ${neutralise(line)}`)
}

function inText(ms: number): string {
  return ms < 1000 ? 'at once' : `in ${duration(ms)}`
}

function ago(at: number): string {
  return `${duration(Date.now() - at)} ago`
}

/** The latest runs of a job or cron app, as a table. */
function runLines(runs: readonly ListedRun[]): string[] {
  if (runs.length === 0) return []
  const rows = runs
    .slice(-RUNS)
    .map((run) => [
      runTime(run),
      run.duration_ms === null ? '' : duration(run.duration_ms),
      run.trigger,
      run.attempts > 1 ? `${run.attempts} attempts` : '',
      `${outcomeText(run.outcome)}${run.count > 1 ? ` ${run.count} times` : ''}${run.reason === null ? '' : `: ${run.reason}`}`,
    ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return ['  history of runs', ...lines.map((line) => `    ${line.trimEnd()}`)]
}

/** In local time, like the events. */
function runTime({ started_at: startedAt, scheduled_at: scheduledAt }: ListedRun): string {
  const at = startedAt ?? scheduledAt
  return at === null ? '' : localTime(at)
}

function eventLines(app: DescribedApp): string[] {
  const lines = app.events.map(
    ({ at, instance, message }) => `    ${localTime(at)}  ${instance ?? app.app} ${neutralise(message)}`,
  )
  return lines.length === 0 ? [] : ['  events', ...lines]
}
