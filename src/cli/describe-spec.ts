import { relative } from 'node:path'
import { neutralise } from '../config/diagnostic.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppSpec, EnvValue, Hook, Hooks, Output, Probe, RestartPolicy, StopPolicy, Watch } from '../model/spec.ts'
import { formatDuration } from '../planner/duration.ts'
import { describeReadyCheck, quoteCommand } from '../planner/gate.ts'
import { describeAttributes, describeLimits } from './describe-attributes.ts'

/** A line of a script is shown this far. */
const MAX_SCRIPT = 60

/** What an app declares, a line each; what is as usual and says nothing is left out. */
export function specLines(spec: AppSpec): string[] {
  const { ready, hooks } = spec
  return [
    ...field('runs', runPolicy(spec)),
    ...field('command', quoteCommand(spec.command)),
    ...field('cwd', spec.cwd),
    ...field(
      'listen',
      spec.listen.map((it) => (it.type === 'unix' ? it.path : `${it.host ?? '*'}:${it.port}`)).join(', '),
    ),
    ...(spec.kind === 'service'
      ? [
          ...field('ready', `${describeReadyCheck(ready.check)}, within ${formatDuration(ready.timeoutMs)}`),
          ...field('readiness', probeText(spec.readiness)),
          ...field('health', probeText(spec.health)),
          ...field('restart', restartText(spec.restart)),
        ]
      : []),
    ...field('stop', stopText(spec.stop)),
    ...field('hooks', hookLines(hooks).join('\n    ')),
    ...field('limits', describeLimits(spec.limits)),
    ...field('runs as', describeAttributes(spec.attributes)),
    ...field('logs', logsText(spec.output)),
    ...field('depends on', dependencyText(spec)),
    ...field('watch', watchText(spec.watch, spec.cwd)),
    ...field(
      'env',
      Object.entries(spec.env)
        .map(([name, value]) => `${name}=${envText(value)}`)
        .join('\n    '),
    ),
  ]
}

/** `  name: value`; nothing where there is no value. */
export function field(name: string, value: string | null | undefined): string[] {
  return value ? [`  ${name}: ${value}`] : []
}

function probeText(probe: Probe | null): string {
  if (probe === null) return ''
  const { check, delayMs, intervalMs, timeoutMs, failures, successes } = probe
  return [
    describeReadyCheck(check),
    `every ${formatDuration(intervalMs)}`,
    `each within ${formatDuration(timeoutMs)}`,
    `fails after ${failures} in a row`,
    ...(successes === 1 ? [] : [`passes after ${successes} in a row`]),
    ...(delayMs === 0 ? [] : [`first after ${formatDuration(delayMs)}`]),
  ].join(', ')
}

function restartText({ policy, max, windowMs, backoff, successExitCodes, stopExitCodes }: RestartPolicy): string {
  const success = successExitCodes.join(', ')
  const usual = SPEC_DEFAULTS.restart.successExitCodes.join(', ')
  return [
    policy,
    `at most ${max} in ${formatDuration(windowMs)}`,
    `back-off ${formatDuration(backoff.initialMs)} to ${formatDuration(backoff.maxMs)}`,
    ...(success === usual ? [] : [`success is ${success}`]),
    ...(stopExitCodes.length === 0 ? [] : [`left as it is after ${stopExitCodes.join(', ')}`]),
  ].join(', ')
}

function stopText({ signal, message, exec, timeoutMs }: StopPolicy): string {
  const how = exec !== null ? `exec ${quoteCommand(exec)}` : message !== null ? `message ${neutralise(message)}` : null
  const asked = how === null ? signal : `${how} (${signal} when that cannot be delivered)`
  return `${asked}, SIGKILL after ${formatDuration(timeoutMs)}`
}

function hookLines({ preStart, postStart, preStop, postStop }: Hooks): string[] {
  return Object.entries({ pre_start: preStart, post_start: postStart, pre_stop: preStop, post_stop: postStop }).flatMap(
    ([name, hook]) => (hook === null ? [] : [`${name}: ${hookText(hook)}, within ${formatDuration(hook.timeoutMs)}`]),
  )
}

/** A script by its first line: the file has the whole of it. */
function hookText({ command }: Hook): string {
  const [shell, flags, text, ...rest] = command
  if (shell !== '/bin/sh' || flags !== '-ec' || text === undefined || rest.length > 0) return quoteCommand(command)
  const [first = '', ...others] = text.trim().split('\n')
  const more = others.length > 0 || first.length > MAX_SCRIPT
  return neutralise(more ? `${first.slice(0, MAX_SCRIPT).trimEnd()} …` : first)
}

/** `out /var/log/api.log; err merged into out; format json`; nothing of what is as usual. */
function logsText({ out, err, format }: Output): string {
  const target = (name: string, where: string): string[] => {
    if (where === 'default') return []
    return [
      where === 'discard' ? `${name} discarded` : where === 'merged' ? `${name} merged into out` : `${name} ${where}`,
    ]
  }
  return [...target('out', out), ...target('err', err), ...(format === 'plain' ? [] : [`format ${format}`])].join('; ')
}

function dependencyText({ dependsOn, restartsWith }: AppSpec): string {
  return Object.entries(dependsOn)
    .map(([app, condition]) => `${app} (${condition}${restartsWith.includes(app) ? ', restarts with it' : ''})`)
    .join(', ')
}

/** `src, config.json; not *.tmp; reload after 200ms` */
function watchText(watch: Watch | null, cwd: string): string {
  if (watch === null) return ''
  const paths = watch.paths.map((path) => relative(cwd, path) || '.').join(', ')
  const ignored = watch.ignore.length === 0 ? '' : `; not ${watch.ignore.join(', ')}`
  return `${paths}${ignored}; ${watch.action} ${formatDuration(watch.debounceMs)} after the last change`
}

/** `at every apply, retries 3, timeout 10m`; `overlap skip, missed run_once, history 10` */
function runPolicy({ kind, job, schedule, restart, inputs }: AppSpec): string | null {
  if (kind === 'service') return null
  const { retries, timeoutMs } = job
  const { initialMs, maxMs } = restart.backoff
  const files = Object.keys(inputs).length
  return [
    ...(schedule?.timezone ? [`time zone ${schedule.timezone}`] : []),
    ...(kind === 'job' ? [job.run === 'always' ? 'at every apply' : 'when something about it changed'] : []),
    ...(files === 0 ? [] : [`${files} input ${files === 1 ? 'file' : 'files'}`]),
    ...(schedule ? [`overlap ${schedule.overlap}`, `missed ${schedule.missed}`] : []),
    retries === 0
      ? 'no retries'
      : `retries ${retries} (after ${formatDuration(initialMs)} to ${formatDuration(maxMs)})`,
    ...(timeoutMs === null ? [] : [`timeout ${formatDuration(timeoutMs)}`]),
  ].join(', ')
}

function envText(value: EnvValue): string {
  return value.type === 'plain' ? neutralise(value.value) : `(secret ${value.source})`
}
