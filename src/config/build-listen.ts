import { isIP } from 'node:net'
import nodePath from 'node:path'
import { overlaps } from '../model/listen.ts'
import type { Listen } from '../model/spec.ts'
import { type Address, describeListen, parseAddress } from './address.ts'
import { accountProblem } from './accounts.ts'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import type { Listen as WrittenListen } from './ecosystem.ts'
import type { Report } from './problem.ts'
import { lineAndColumn } from './problem.ts'
import type { Path, Span } from './tree.ts'

/** The longest path that fits a sockaddr_un, with its final zero (Linux 108, macOS 104). */
const MAX_SOCKET_PATH = 103

type LongForm = Exclude<NonNullable<WrittenListen>, number | string | readonly unknown[]>

const HOST_HINT = 'leave the host out for all addresses of this machine'

/** One address of one app, and where it was written. */
export interface DeclaredListen {
  readonly app: string
  readonly listen: Listen
  readonly at: Span | null
}

/** The addresses an app declares. */
export function buildListen(app: AppNode, context: BuildContext): DeclaredListen[] {
  const { listen } = app.data
  const values = Array.isArray(listen) ? listen : listen === undefined || listen === null ? [] : [listen]
  return values.flatMap((value, index) => {
    const path: Path = Array.isArray(listen) ? ['listen', index] : ['listen']
    const built = buildOne(app, path, value, context)
    return built === null ? [] : [{ app: app.name, listen: built, at: app.at(...path) }]
  })
}

function buildOne(app: AppNode, path: Path, value: WrittenListen, context: BuildContext): Listen | null {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return longForm(app, path, value, context)
  const refuse = (message: string, hint: string | null = null): null => {
    context.problems.error(app.at(...path), `${labelOf(app, path)} ${message}`, hint)
    return null
  }
  if (typeof value === 'object') return refuse(`must be one address, but was ${JSON.stringify(value)}`)
  const parsed = parseListen(value, context.folder)
  if (typeof parsed === 'string') return refuse(parsed)
  if (parsed.type === 'unix' || isBindable(parsed)) return parsed
  return refuse(`must have an IP address or localhost before its port, but was ${JSON.stringify(value)}`, HOST_HINT)
}

/** `{ port, host }` or `{ path, mode, user, group }`, with backlog and name. */
function longForm(app: AppNode, path: Path, written: LongForm, { folder, problems }: BuildContext): Listen | null {
  const label = labelOf(app, path)
  const refuse = (key: string | null, message: string, hint: string | null = null): null => {
    problems.error(key === null ? app.at(...path) : app.keyAt(...path, key), message, hint)
    return null
  }
  const { backlog, name } = written
  const common = { ...(backlog == null ? {} : { backlog }), ...(name == null ? {} : { name }) }
  if (written.path != null) {
    if (written.port != null) return refuse('port', `${label} has both port and path`, 'keep one of them')
    if (written.host != null) return refuse('host', `${label}.host is not for a unix socket`)
    const socket = socketPath(written.path, folder)
    if (typeof socket !== 'string') return refuse('path', `${label}.path ${socket.problem}`)
    for (const kind of ['user', 'group'] as const) {
      const account = written[kind]
      const problem = account == null ? null : accountProblem(kind, String(account))
      if (problem) return refuse(kind, `${label}.${kind} ${problem.message}`, problem.hint)
    }
    const { mode, user, group } = written
    return {
      type: 'unix',
      path: socket,
      ...(mode == null ? {} : { mode: Number.parseInt(mode, 8) }),
      ...(user == null ? {} : { user: String(user) }),
      ...(group == null ? {} : { group: String(group) }),
      ...common,
    }
  }
  for (const key of ['mode', 'user', 'group'] as const) {
    if (written[key] != null)
      return refuse(key, `${label}.${key} is only for a unix socket`, 'give path instead of port')
  }
  if (written.port == null) return refuse(null, `${label} has neither port nor path`, 'port: 3000')
  const host = written.host ?? null
  const address = parseAddress(
    host === null ? written.port : `${host.includes(':') ? `[${host}]` : host}:${written.port}`,
  )
  if (address === null || !isBindable(address)) {
    return refuse(
      'host',
      `${label}.host must be an IP address or localhost, but was ${JSON.stringify(host)}`,
      HOST_HINT,
    )
  }
  return { type: 'tcp', ...address, ...common }
}

function labelOf(app: AppNode, path: Path): string {
  const [, index] = path
  return `${app.label}.listen${index === undefined ? '' : `[${index}]`}`
}

/** Two apps, or one app twice, that declare the same address. */
export function checkListenConflicts(all: readonly DeclaredListen[], text: string, error: Report): void {
  for (const [index, one] of all.entries()) {
    const other = all.slice(0, index).find((earlier) => overlaps(earlier.listen, one.listen))
    if (!other) continue
    const place = other.at ? ` (line ${lineAndColumn(text, other.at).join(', column ')})` : ''
    const who = other.app === one.app ? 'the same app' : `apps.${other.app}`
    error(one.at, `apps.${one.app}.listen: ${describeListen(one.listen)} is already declared by ${who}${place}`)
  }
}

/** A listener, or what is wrong with it. */
function parseListen(value: number | string, folder: string): Listen | string {
  if (typeof value === 'string' && value.includes('/')) {
    const socket = socketPath(value, folder)
    return typeof socket === 'string' ? { type: 'unix', path: socket } : socket.problem
  }
  const address = parseAddress(value)
  if (address) return { type: 'tcp', ...address }
  return `must be a port from 1 to 65535, "host:port" or a socket path with a slash, but was ${JSON.stringify(value)}`
}

/** A name may mean several addresses, and other ones tomorrow. */
function isBindable({ host }: Address): boolean {
  return host === null || host === 'localhost' || isIP(host) !== 0
}

function socketPath(written: string, folder: string): string | { readonly problem: string } {
  const absolute = nodePath.resolve(folder, written)
  const bytes = Buffer.byteLength(absolute)
  if (bytes <= MAX_SOCKET_PATH) return absolute
  return { problem: `is a socket path of ${bytes} bytes, but the system allows ${MAX_SOCKET_PATH}: ${absolute}` }
}
