import { callOrStart } from '../../daemon/ensure.ts'
import type { AppDescription, ListedInstance, ListedRun, Selection } from '../../daemon/protocol.ts'
import { describeAttributes, describeLimits } from '../describe-attributes.ts'
import { neutralise } from '../../config/diagnostic.ts'
import { lastLines } from '../../logs/tail.ts'
import { showSpec } from '../../model/instance-values.ts'
import { outcomeText } from '../../model/runs.ts'
import { describeExit } from '../../model/observed.ts'
import type { AppSpec, EnvValue, Probe } from '../../model/spec.ts'
import { formatDuration } from '../../planner/duration.ts'
import { describeReadyCheck, quoteCommand } from '../../planner/gate.ts'
import type { StoredEvent } from '../../model/events.ts'
import { latest, storedEvents } from '../../state/event-reader.ts'
import { localTime } from '../event-text.ts'
import { ecoHome } from '../../state/paths.ts'
import { bytes, duration } from '../../daemon/listing-text.ts'

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
  return { ...instance, stderr: log ? lastLines(log.path, STDERR_LINES) : [] }
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
    ...(app.instances.length === 0 && app.reason !== null ? [`  why: ${app.reason}`] : []),
    ...app.instances.flatMap((instance) => instanceLines(instance, app)),
    ...field('file', app.source_file),
    ...field('revision', `${app.revision}, version ${app.version} of the app`),
    ...field(
      'hold',
      app.hold &&
        `${app.hold.verb} (${app.hold.instances} instances) by ${app.hold.by} since ${localTime(app.hold.at)}`,
    ),
    ...field('schedule', app.schedule && `${app.schedule}, next ${app.next_run_at ?? 'never'}`),
    ...field('runs', runPolicy(app.spec)),
    ...specLines(app.spec),
    ...runLines(app.runs),
    ...eventLines(app),
    ...app.logs.flatMap(({ path, stream, instance }) => {
      // Told with the instance already.
      if (stream === 'err' && app.instances.some((it) => it.id === instance && (!it.ready || it.restarts > 0)))
        return []
      const last = lastLines(path, LOG_LINES)
      return last.length === 0
        ? []
        : [`  ${instance} ${stream}: ${path}`, ...last.map((line) => `    ${neutralise(line)}`)]
    }),
  ]
  return `${lines.join('\n')}\n`
}

function describeProbe(probe: Probe | null): string {
  if (probe === null) return ''
  const every = `every ${formatDuration(probe.intervalMs)}`
  return `${describeReadyCheck(probe.check)}, ${every}, fails after ${probe.failures} in a row`
}

function specLines(spec: AppSpec): string[] {
  const { stop, restart, ready } = spec
  const { backoff } = restart
  return [
    ...field('command', quoteCommand(spec.command)),
    ...field('cwd', spec.cwd),
    ...field(
      'listen',
      spec.listen.map((it) => (it.type === 'unix' ? it.path : `${it.host ?? '*'}:${it.port}`)).join(', '),
    ),
    ...(spec.kind === 'service'
      ? [
          ...field('ready', `${describeReadyCheck(ready.check)}, within ${formatDuration(ready.timeoutMs)}`),
          ...field('readiness', describeProbe(spec.readiness)),
          ...field('health', describeProbe(spec.health)),
          ...field(
            'restart',
            `${restart.policy}, at most ${restart.max} in ${formatDuration(restart.windowMs)}, back-off ${formatDuration(backoff.initialMs)} to ${formatDuration(backoff.maxMs)}`,
          ),
        ]
      : []),
    ...field('stop', `${stop.signal}, SIGKILL after ${formatDuration(stop.timeoutMs)}`),
    ...field('limits', describeLimits(spec.limits)),
    ...field('runs as', describeAttributes(spec.attributes)),
    ...field(
      'depends on',
      Object.entries(spec.dependsOn)
        .map(([app, condition]) => `${app} (${condition})`)
        .join(', '),
    ),
    ...field(
      'env',
      Object.entries(spec.env)
        .map(([name, value]) => `${name}=${envText(value)}`)
        .join('\n    '),
    ),
  ]
}

/** `retries 3, timeout 10m, overlap skip, missed run_once` */
function runPolicy({ kind, job, schedule }: AppSpec): string | null {
  if (kind === 'service') return null
  const { retries, timeoutMs } = job
  return [
    ...(schedule?.timezone ? [`time zone ${schedule.timezone}`] : []),
    ...(kind === 'job' ? [job.run === 'always' ? 'at every apply' : 'when something about it changed'] : []),
    ...(schedule ? [`overlap ${schedule.overlap}`, `missed ${schedule.missed}`] : []),
    `retries ${retries}`,
    ...(timeoutMs === null ? [] : [`timeout ${formatDuration(timeoutMs)}`]),
  ].join(', ')
}

function envText(value: EnvValue): string {
  return value.type === 'plain' ? neutralise(value.value) : `(secret ${value.source})`
}

/** What it is doing and why, in one line; then what is known beside it. */
function instanceLines(instance: DescribedInstance, app: DescribedApp): string[] {
  const facts = [
    ...(instance.pid === null ? [] : [`pid ${instance.pid}`]),
    ...(instance.started_at === null ? [] : [`up ${duration(Date.now() - Date.parse(instance.started_at))}`]),
    `version ${instance.version}`,
    ...(instance.restarts > 0 ? [`${instance.restarts} restarts`] : []),
    ...(instance.memory_bytes === null ? [] : [bytes(instance.memory_bytes)]),
    ...(instance.cpu_percent === null || instance.cpu_window_ms === null
      ? []
      : [`${instance.cpu_percent}% cpu over ${duration(instance.cpu_window_ms)}`]),
  ]
  const exit = instance.last_exit
  const isWell = instance.ready && instance.restarts === 0
  return [
    `  ${instance.id}  ${causalLine(instance, app.spec)}`,
    `    ${facts.join(', ')}`,
    ...(instance.notes ?? []).map((note) => `    note: ${note}`),
    ...(exit === null ? [] : [`    last exit: ${describeExit(exit)}, ${localTime(exit.at)} (${ago(exit.at)})`]),
    ...(isWell || instance.stderr.length === 0
      ? []
      : ['    its last words on stderr:', ...instance.stderr.map((line) => `      ${neutralise(line)}`)]),
  ]
}

/** `backoff: exited with code 1; next attempt at 12:03:14 (in 3s), restart 4 of 16 within 60s` */
function causalLine(instance: ListedInstance, { restart, kind }: AppSpec): string {
  const { state, ready, reason, next_attempt_at: next, recent_restarts: count } = instance
  const name = state === 'running' && kind === 'service' ? (ready ? 'running, ready' : 'running, not ready') : state
  const attempt =
    next === null ? '' : `; next attempt at ${localTime(next).slice(11)} (${inText(Date.parse(next) - Date.now())})`
  const limit = kind === 'service' && count > 0 && state !== 'failed'
  const restarts = limit ? `; restart ${count} of ${restart.max} within ${formatDuration(restart.windowMs)}` : ''
  return `${name}${reason === null ? '' : `: ${neutralise(reason)}`}${attempt}${restarts}`
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
      run.started_at ?? run.scheduled_at ?? '',
      run.duration_ms === null ? '' : duration(run.duration_ms),
      run.trigger,
      run.attempts > 1 ? `${run.attempts} attempts` : '',
      `${outcomeText(run.outcome)}${run.count > 1 ? ` ${run.count} times` : ''}${run.reason === null ? '' : `: ${run.reason}`}`,
    ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return ['  history of runs', ...lines.map((line) => `    ${line.trimEnd()}`)]
}

function eventLines(app: DescribedApp): string[] {
  const lines = app.events.map(
    ({ at, instance, message }) => `    ${localTime(at)}  ${instance ?? app.app} ${neutralise(message)}`,
  )
  return lines.length === 0 ? [] : ['  events', ...lines]
}

function field(name: string, value: string | null | undefined): string[] {
  return value ? [`  ${name}: ${value}`] : []
}
