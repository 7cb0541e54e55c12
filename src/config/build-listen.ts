import path from 'node:path'
import { overlaps } from '../model/listen.ts'
import type { Listen } from '../model/spec.ts'
import { describeListen, parseAddress } from './address.ts'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import type { Report } from './problem.ts'
import { lineAndColumn } from './problem.ts'
import type { Span } from './tree.ts'

/** The longest path that fits a sockaddr_un, with its final zero (Linux 108, macOS 104). */
const MAX_SOCKET_PATH = 103

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
  const declared: DeclaredListen[] = []
  for (const [index, value] of values.entries()) {
    const at = Array.isArray(listen) ? app.at('listen', index) : app.at('listen')
    const parsed = parseListen(value, context.folder)
    if (typeof parsed === 'string') {
      context.problems.error(at, `${app.label}.listen${Array.isArray(listen) ? `[${index}]` : ''} ${parsed}`)
    } else declared.push({ app: app.name, listen: parsed, at })
  }
  return declared
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
    const absolute = path.resolve(folder, value)
    return Buffer.byteLength(absolute) <= MAX_SOCKET_PATH
      ? { type: 'unix', path: absolute }
      : `is a socket path of ${Buffer.byteLength(absolute)} bytes, but the system allows ${MAX_SOCKET_PATH}: ${absolute}`
  }
  const address = parseAddress(value)
  if (address) return { type: 'tcp', ...address }
  return `must be a port from 1 to 65535, "host:port" or a socket path with a slash, but was ${JSON.stringify(value)}`
}
