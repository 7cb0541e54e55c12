import type { Listen } from '../model/spec.ts'

export interface Address {
  readonly host: string | null
  readonly port: number
}

/**
 * Reads `3000`, `host:3000` or `[::1]:3000`.
 *
 * @returns null when it is no address or its port is not within 1 to 65535
 */
export function parseAddress(value: number | string): Address | null {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]:|([^\s:/[\]]+):)?(\d{1,5})$/.exec(String(value)) ?? []
  const port = Number(digits)
  if (digits === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) return null
  return { host: bracketed ?? plain ?? null, port }
}

/** Where a client on this machine reaches a listener. */
export function reachableHost(host: string | null): string {
  if (host === null || host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** `port 3000`, `127.0.0.1:3000` or a path. */
export function describeListen(listen: Listen): string {
  if (listen.type === 'unix') return listen.path
  return listen.host === null ? `port ${listen.port}` : `${listen.host}:${listen.port}`
}
