/** Words for the reasons of probes. */

/** `1.5s` */
export function seconds(ms: number): string {
  return `${ms / 1000}s`
}

const LACKING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOBUFS', 'EADDRNOTAVAIL'])

/** Errors by which eco lacks something to ask with: they say nothing about the instance. */
export function inconclusiveCode(code: string | undefined): boolean {
  return code !== undefined && LACKING.has(code)
}

const CONNECTION_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'no such host',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
}

/** `connection refused (ECONNREFUSED)` */
export function connectionError(error: NodeJS.ErrnoException): string {
  const code = error.code ?? (error as { errors?: NodeJS.ErrnoException[] }).errors?.[0]?.code
  if (code === undefined) return error.message
  if (code.startsWith('HPE_')) return `no HTTP answer (${code})`
  const words = CONNECTION_WORDS[code]
  return words === undefined ? code : `${words} (${code})`
}
