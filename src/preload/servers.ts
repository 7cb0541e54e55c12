import type { Http2Session } from 'node:http2'
import type { AnyServer, ListenHandle } from './node-internals.ts'

/** Beyond this many, those that are no more are looked for. */
const MANY = 32

/**
 * The servers of this process that were told to listen. Nothing is kept alive by it, and nothing is done for a
 * connection or a request: who is connected is found when it is asked for.
 */
export class Servers {
  readonly #known = new WeakSet<AnyServer>()
  readonly #sessions = new Set<Http2Session>()
  /** Those that the primary of node:cluster took away from the server that opened them. */
  readonly #taken = new Set<ListenHandle>()
  #references = new Set<WeakRef<AnyServer>>()

  notice(server: AnyServer): void {
    if (isClusterPrimary()) {
      server.prependOnceListener('listening', () => server._handle && this.#taken.add(server._handle))
    }
    if (this.#known.has(server)) return
    this.#known.add(server)
    if (this.#references.size >= MANY) {
      this.#references = new Set([...this.#references].filter((it) => it.deref() !== undefined))
    }
    this.#references.add(new WeakRef(server))
    // HTTP/2, of which a server keeps no list before Node 24.
    if ('updateSettings' in server) {
      server.on('session', (session: Http2Session) => {
        this.#sessions.add(session)
        session.once('close', () => this.#sessions.delete(session))
      })
    }
  }

  *all(): Generator<AnyServer> {
    for (const reference of this.#references) {
      const server = reference.deref()
      if (server !== undefined) yield server
    }
  }

  get handles(): ReadonlySet<ListenHandle> {
    const own = [...this.all()].flatMap(({ _handle }) => _handle ?? [])
    return new Set([...this.#taken, ...own])
  }

  /** The same, with the paths of those that have one. */
  get sockets(): readonly { readonly handle: ListenHandle; readonly path: string }[] {
    const paths = new Map([...this.all()].map(({ _handle, _pipeName = '' }) => [_handle, _pipeName]))
    return [...this.handles].map((handle) => ({ handle, path: paths.get(handle) ?? '' }))
  }

  get sessions(): ReadonlySet<Http2Session> {
    return this.#sessions
  }

  /** Open connections, those by the private sockets not counted. */
  get connections(): number {
    let count = 0
    for (const { _connections = 0 } of this.all()) count += _connections
    return count
  }
}

function isClusterPrimary(): boolean {
  const cluster = require('node:cluster') as typeof import('node:cluster').default
  return cluster.isPrimary && Object.keys(cluster.workers ?? {}).length > 0
}
