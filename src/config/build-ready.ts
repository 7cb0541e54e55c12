import { unreachable } from '../errors.ts'
import type { Endpoint, Listen, Ready, ReadyCheck, StatusRange } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { parseAddress, reachableHost } from './address.ts'
import type { AppNode } from './app-node.ts'
import type { App } from './ecosystem.ts'
import { parseDuration } from './duration.ts'
import type { Report } from './problem.ts'

type ReadyMap = Exclude<NonNullable<NonNullable<App>['ready']>, string>

const CHECKS = ['signal', 'http', 'tcp', 'log', 'exec', 'delay'] as const
const DEFAULT_STATUS: readonly StatusRange[] = [{ from: 200, to: 399 }]

/** When an instance counts as ready. Without a check of its own: its first tcp address accepts, else it has settled. */
export function buildReady(app: AppNode, listen: readonly Listen[], report: Report): Ready {
  const { ready } = app.data
  const map: ReadyMap = typeof ready === 'string' ? { signal: true } : (ready ?? {})
  const { timeoutMs, intervalMs, attemptTimeoutMs } = SPEC_DEFAULTS.ready
  return {
    check: buildCheck(app, map, listen, report) ?? defaultCheck(listen),
    timeoutMs: parseDuration(map.timeout ?? '') ?? timeoutMs,
    intervalMs: parseDuration(map.interval ?? '') ?? intervalMs,
    attemptTimeoutMs,
  }
}

function defaultCheck(listen: readonly Listen[]): ReadyCheck {
  const tcp = firstTcp(listen)
  return tcp ? { type: 'tcp', endpoint: tcpEndpoint(tcp) } : { type: 'settled' }
}

function buildCheck(app: AppNode, map: ReadyMap, listen: readonly Listen[], report: Report): ReadyCheck | null {
  const given = CHECKS.filter((name) => map[name] !== undefined && map[name] !== null && map[name] !== false)
  const [check, second] = given
  if (second !== undefined) {
    const message = `${app.label}.ready must have exactly one check, but has ${given.join(' and ')}`
    report(app.keyAt('ready', second), message, 'keep one of them')
    return null
  }
  if (map.status && check !== 'http') {
    report(app.keyAt('ready', 'status'), `${app.label}.ready.status goes with http, but there is none`)
  }
  if (check === undefined) {
    // timeout and interval alone are fine: they go with the default check.
    if (Object.keys(map).length === 0 && app.data.ready) {
      report(app.at('ready'), `${app.label}.ready is empty`, `give one of ${CHECKS.join(', ')}`)
    }
    return null
  }
  const problem = (message: string, hint: string | null = null): null => {
    report(app.at('ready', check), `${app.label}.ready.${check} ${message}`, hint)
    return null
  }
  switch (check) {
    case 'signal':
      return { type: 'signal' }
    case 'http':
      return buildHttp(app, map, listen, report, problem)
    case 'tcp': {
      const address = parseAddress(map.tcp ?? '')
      if (!address) return problem(`must be a port from 1 to 65535 or "host:port", but was ${JSON.stringify(map.tcp)}`)
      return { type: 'tcp', endpoint: tcpEndpoint(address) }
    }
    case 'log':
      return buildLog(map.log ?? '', problem)
    case 'exec':
      return { type: 'exec', command: map.exec ?? [] }
    case 'delay':
      return { type: 'delay', ms: parseDuration(map.delay ?? '') ?? 0 }
    default:
      return unreachable(check)
  }
}

type Complain = (message: string, hint?: string | null) => null

function buildHttp(
  app: AppNode,
  map: ReadyMap,
  listen: readonly Listen[],
  report: Report,
  problem: Complain,
): ReadyCheck | null {
  const target = parseTarget(map.http ?? '', listen)
  if (typeof target === 'string') return problem(target)
  const status: StatusRange[] = []
  for (const [index, range] of (map.status ?? []).entries()) {
    const [from = 0, to = from] = String(range).split('-').map(Number)
    if (from <= to && from >= 100 && to <= 599) status.push({ from, to })
    else {
      const message = `${app.label}.ready.status[${index}] must be a code or range within 100 to 599, lower end first`
      report(app.at('ready', 'status', index), `${message}, but was ${JSON.stringify(range)}`)
    }
  }
  const { path, ...address } = target
  return {
    type: 'http',
    endpoint: tcpEndpoint(address),
    tls: false,
    path,
    headers: {},
    status: status.length > 0 ? status : DEFAULT_STATUS,
    body: null,
  }
}

/** Where http is asked for, or what is wrong with it. */
function parseTarget(http: string, listen: readonly Listen[]): { host: string; port: number; path: string } | string {
  if (http.startsWith('/')) {
    const tcp = firstTcp(listen)
    if (!tcp) return 'is a path, so the app needs a tcp port under listen; or write ":port/path"'
    return { host: reachableHost(tcp.host), port: tcp.port, path: http }
  }
  const url = parseUrl(http.startsWith(':') ? `http://127.0.0.1${http}` : http)
  if (!url || (url.port === '0' && url.protocol === 'http:')) {
    return `must be a path like /healthz, ":8080/healthz" or a http:// URL, but was ${JSON.stringify(http)}`
  }
  if (url.username || url.password) return 'cannot hold a user name or password'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(url.port || 80), path: url.pathname + url.search }
}

/** `/regex/flags`, or a text that is contained. */
function buildLog(log: string, problem: Complain): ReadyCheck | null {
  const [, pattern, flags = ''] = /^\/([^]+)\/([a-z]*)$/.exec(log) ?? []
  if (pattern === undefined) return { type: 'log', pattern: log.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), flags: '' }
  if (/[gy]/.test(flags)) return problem(`has the flag ${/[gy]/.exec(flags)?.[0]}, which means nothing for one line`)
  try {
    RegExp(pattern, flags)
    return { type: 'log', pattern, flags }
  } catch (error) {
    return problem(`is no regular expression: ${String(error).replace(/^\w+: Invalid regular expression: /, '')}`)
  }
}

function tcpEndpoint({ host, port }: { readonly host: string | null; readonly port: number }): Endpoint {
  return { type: 'tcp', host: reachableHost(host), port, perInstance: false }
}

function firstTcp(listen: readonly Listen[]): Extract<Listen, { type: 'tcp' }> | null {
  return listen.find((one) => one.type === 'tcp') ?? null
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null
}
