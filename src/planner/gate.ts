import { unreachable } from '../errors.ts'
import type { AppSpec, Endpoint, ReadyCheck } from '../model/spec.ts'
import type { Action } from './action.ts'
import { formatDuration } from './duration.ts'

/** What a step waits for before it counts as done; null: nothing. */
export function describeGate(action: Action, spec: AppSpec): string | null {
  const { slots, to } = action
  if (action.action === 'update' || action.action === 'schedule' || slots.length === 0) return null
  const starts = action.action !== 'stop' && action.action !== 'remove' && slots.some((slot) => slot < to)
  if (!starts) return `exit: ${spec.stop.signal}, then SIGKILL after ${formatDuration(spec.stop.timeoutMs)}`
  if (spec.kind === 'cron') return null
  if (spec.kind === 'job') return `completion: ${successText(spec)}`
  const ready = `ready: ${describeReadyCheck(spec.ready.check)} within ${formatDuration(spec.ready.timeoutMs)}`
  if (action.action !== 'roll') return ready
  const { soakMs, check } = spec.rollout
  const soak = soakMs > 0 ? `, and for ${formatDuration(soakMs)}` : ''
  return `${ready}${soak}${check === null ? '' : `, then check: ${quoteCommand(check.command)}`}`
}

/** `exit code 0`, `exit code 0 or 75`, `exit code 0 or SIGTERM` */
function successText({ restart: { successExitCodes } }: AppSpec): string {
  const [first, ...others] = successExitCodes
  return `${typeof first === 'number' ? 'exit code ' : ''}${[first, ...others].join(' or ')}`
}

/** `http :3000/healthz`, `tcp :6390`, `log /listening/i`; status ranges only where they are not the usual 200-399. */
export function describeReadyCheck(check: ReadyCheck): string {
  switch (check.type) {
    case 'settled':
      return 'settled'
    case 'signal':
    case 'notify':
      return check.type
    case 'http': {
      const ranges = check.status.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
      const details = [
        ...(ranges === '200-399' ? [] : [` status ${ranges}`]),
        ...(check.body === null ? [] : [` body /${check.body.pattern}/${check.body.flags}`]),
      ]
      return `${check.tls ? 'https' : 'http'} ${endpointText(check.endpoint)}${check.path}${details.join('')}`
    }
    case 'tcp':
      return `tcp ${endpointText(check.endpoint)}`
    case 'log':
      return `log /${check.pattern}/${check.flags}`
    case 'exec':
      return `exec ${quoteCommand(check.command)}`
    case 'delay':
      return `delay ${formatDuration(check.ms)}`
    default:
      return unreachable(check)
  }
}

/** `:3000`; `:${instance + 3000}` for a port of its own for each instance; `unix:/run/api.sock`. */
function endpointText(endpoint: Endpoint): string {
  if (endpoint.type === 'unix') return `unix:${endpoint.path}`
  const text = address(endpoint.host, endpoint.port)
  return endpoint.perInstance ? text.replace(/\d+$/, (port) => `\${instance + ${port}}`) : text
}

/** The usual local host goes without saying. */
export function address(host: string | null, port: number): string {
  if (host === null || host === '127.0.0.1' || host === 'localhost') return `:${port}`
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

/** An argv as a POSIX shell would take it. */
export function quoteCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}
