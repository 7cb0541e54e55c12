import path from 'node:path'
import { forSlot, isPerInstance, showPerInstance } from '../model/instance-values.ts'
import type { Endpoint, Listen } from '../model/spec.ts'
import { parseAddress, reachableHost } from './address.ts'

/** Where http is asked for. */
export interface HttpTarget {
  readonly endpoint: Endpoint
  readonly tls: boolean
  readonly path: string
}

/** What an endpoint is read against. */
export interface EndpointContext {
  readonly listen: readonly Listen[]
  readonly instances: number
  /** Relative paths of sockets start here, as those of listen do. */
  readonly folder: string
}

/** `/path`, `:port/path`, a http:// or https:// URL, or `unix:/run/app.sock:/path`. @returns what is wrong, as a text */
export function parseHttpTarget(written: string, context: EndpointContext): HttpTarget | string {
  const { listen, folder } = context
  if (written.startsWith('/') && !isPerInstance(written)) {
    const first = listen.find((one) => one.type === 'tcp') ?? listen[0]
    if (!first) return 'is a path, so the app needs an address under listen; or write ":port/path"'
    return { endpoint: listenEndpoint(first), tls: false, path: written }
  }
  const [, socket, socketPath = '/'] = /^unix:([^\0]+?)(?::(\/[^\0]*))?$/.exec(written) ?? []
  if (socket !== undefined) return { endpoint: unixEndpoint(socket, folder), tls: false, path: socketPath }
  const port = splitPort(written)
  if (port === null) return ONLY_THE_PORT
  const url = parseUrl(port.text.startsWith(':') ? `http://127.0.0.1${port.text}` : port.text)
  if (!url || url.port === '0') {
    const forms = 'a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz"'
    return `must be ${forms}, but was ${shown(written)}`
  }
  if (url.username || url.password) return 'cannot hold a user name or password'
  const tls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const endpoint = tcpEndpoint(host, Number(url.port || (tls ? 443 : 80)), port.perInstance)
  return rangeProblem(endpoint, context) ?? { endpoint, tls, path: url.pathname + url.search }
}

/** A port, `host:port`, `unix:/run/app.sock` or a path. @returns what is wrong, as a text */
export function parseTcpTarget(written: number | string, context: EndpointContext): Endpoint | string {
  const text = String(written)
  if (!isPerInstance(text)) {
    if (text.startsWith('unix:') && text.length > 'unix:'.length) return unixEndpoint(text.slice(5), context.folder)
    if (text.includes('/') && !text.includes('://')) return unixEndpoint(text, context.folder)
  }
  const port = splitPort(text)
  if (port === null) return ONLY_THE_PORT
  const address = parseAddress(port.text)
  if (!address) return `must be a port from 1 to 65535, "host:port" or a socket path, but was ${shown(written)}`
  const endpoint = tcpEndpoint(address.host, address.port, port.perInstance)
  return rangeProblem(endpoint, context) ?? endpoint
}

/** Where a listener of this machine is reached. */
export function listenEndpoint(listen: Listen): Endpoint {
  return listen.type === 'unix' ? listen : tcpEndpoint(listen.host, listen.port, false)
}

const ONLY_THE_PORT = 'may say ${instance} as the port only, like ":${3000 + instance}/healthz"'

/** A port that differs from instance to instance becomes that of slot 0; null when it is not the port that differs. */
function splitPort(text: string): { readonly text: string; readonly perInstance: boolean } | null {
  if (!isPerInstance(text)) return { text, perInstance: false }
  const first = text.replace(/(^|:)(\0instance\+\d+\0)(?=$|[/?#])/, (_, before: string, marker: string) => {
    return before + forSlot(marker, 0)
  })
  return isPerInstance(first) ? null : { text: first, perInstance: true }
}

function rangeProblem(endpoint: Endpoint, { instances }: EndpointContext): string | null {
  if (endpoint.type === 'unix' || !endpoint.perInstance) return null
  const last = endpoint.port + Math.max(0, instances - 1)
  return last > 65_535 ? `would be port ${last} for the last of ${instances} instances; the highest is 65535` : null
}

function unixEndpoint(socket: string, folder: string): Endpoint {
  return { type: 'unix', path: path.resolve(folder, socket) }
}

function tcpEndpoint(host: string | null, port: number, perInstance: boolean): Endpoint {
  return { type: 'tcp', host: reachableHost(host), port, perInstance }
}

function parseUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null
}

function shown(written: number | string): string {
  return typeof written === 'number' ? String(written) : JSON.stringify(showPerInstance(written))
}
