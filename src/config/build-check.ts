import { unreachable } from '../errors.ts'
import type { HttpCheck, Pattern, ProbeCheck, ReadyCheck, StatusRange } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import { checkedArgv } from './build-command.ts'
import type { Search } from './build-command.ts'
import { parseDuration } from './duration.ts'
import { parseHttpTarget, parseTcpTarget } from './endpoint.ts'
import type { EndpointContext } from './endpoint.ts'
import type { App } from './ecosystem.ts'
import type { Report } from './problem.ts'

export type ReadyMap = Exclude<NonNullable<NonNullable<App>['ready']>, string>
export type CheckName = 'signal' | 'notify' | 'log' | 'delay' | 'http' | 'tcp' | 'exec'
type ProbeName = ProbeCheck['type']

export interface CheckContext extends EndpointContext {
  readonly search: Search
  readonly report: Report
}

const DEFAULT_STATUS: readonly StatusRange[] = [{ from: 200, to: 399 }]
const HTTP_OPTIONS = ['status', 'headers', 'body'] as const

/**
 * The one check that a map under `key` asks for.
 *
 * @param names the checks that are possible there
 * @returns null when there is none, or a wrong one; problems went to `report`
 */
export function buildCheck(
  app: AppNode,
  key: 'readiness' | 'health',
  map: ReadyMap,
  names: readonly ProbeName[],
  context: CheckContext,
): ProbeCheck | null
export function buildCheck(
  app: AppNode,
  key: 'ready',
  map: ReadyMap,
  names: readonly CheckName[],
  context: CheckContext,
): ReadyCheck | null
export function buildCheck(
  app: AppNode,
  key: 'ready' | 'readiness' | 'health',
  map: ReadyMap,
  names: readonly CheckName[],
  context: CheckContext,
): ReadyCheck | null {
  const { report } = context
  const given = names.filter((name) => map[name] !== undefined && map[name] !== null && map[name] !== false)
  const [check, second] = given
  if (second !== undefined) {
    const message = `${app.label}.${key} must have exactly one check, but has ${given.join(' and ')}`
    report(app.keyAt(key, second), message, 'keep one of them')
    return null
  }
  for (const option of HTTP_OPTIONS) {
    if (!map[option] || check === 'http') continue
    report(app.keyAt(key, option), `${app.label}.${key}.${option} goes with http, but there is none`)
  }
  if (check === undefined) return null
  const problem: Complain = (message, hint = null) => {
    report(app.at(key, check), `${app.label}.${key}.${check} ${message}`, hint)
    return null
  }
  switch (check) {
    case 'signal':
    case 'notify':
      return { type: check }
    case 'http':
      return buildHttp(app, key, map, context, problem)
    case 'tcp': {
      const endpoint = parseTcpTarget(map.tcp ?? '', context)
      return typeof endpoint === 'string' ? problem(endpoint) : { type: 'tcp', endpoint }
    }
    case 'log': {
      const pattern = readPattern(map.log ?? '', problem)
      return pattern && { type: 'log', ...pattern }
    }
    case 'exec':
      return { type: 'exec', command: checkedArgv(app, map.exec ?? [], context.search, [key, 'exec'], report) }
    case 'delay':
      return { type: 'delay', ms: parseDuration(map.delay ?? '') ?? 0 }
    default:
      return unreachable(check)
  }
}

type Complain = (message: string, hint?: string | null) => null

function buildHttp(
  app: AppNode,
  key: string,
  map: ReadyMap,
  context: CheckContext,
  problem: Complain,
): HttpCheck | null {
  const target = parseHttpTarget(map.http ?? '', context)
  const body = map.body ? readPattern(map.body, (message) => bodyProblem(app, key, message, context)) : null
  if (typeof target === 'string') return problem(target)
  const headers = Object.entries(map.headers ?? {})
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name.toLowerCase(), String(value)] as const)
  return {
    type: 'http',
    ...target,
    headers: Object.fromEntries(headers.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    status: readStatus(app, key, map, context.report),
    body,
  }
}

function bodyProblem(app: AppNode, key: string, message: string, { report }: CheckContext): null {
  report(app.at(key, 'body'), `${app.label}.${key}.body ${message}`)
  return null
}

function readStatus(app: AppNode, key: string, map: ReadyMap, report: Report): readonly StatusRange[] {
  const status: StatusRange[] = []
  for (const [index, range] of (map.status ?? []).entries()) {
    const [from = 0, to = from] = String(range).split('-').map(Number)
    if (from <= to && from >= 100 && to <= 599) status.push({ from, to })
    else {
      const message = `${app.label}.${key}.status[${index}] must be a code or range within 100 to 599, lower end first`
      report(app.at(key, 'status', index), `${message}, but was ${JSON.stringify(range)}`)
    }
  }
  return status.length > 0 ? status : DEFAULT_STATUS
}

/** `/regex/flags`, or a text that is contained. */
function readPattern(written: string, problem: Complain): Pattern | null {
  const [, pattern, flags = ''] = /^\/([^]+)\/([a-z]*)$/.exec(written) ?? []
  if (pattern === undefined) return { pattern: written.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), flags: '' }
  if (/[gy]/.test(flags)) return problem(`has the flag ${/[gy]/.exec(flags)?.[0]}, which means nothing here`)
  try {
    RegExp(pattern, flags)
    return { pattern, flags }
  } catch (error) {
    return problem(`is no regular expression: ${String(error).replace(/^\w+: Invalid regular expression: /, '')}`)
  }
}
