import { join } from 'node:path'
import type { Endpoint, Listen } from '../../model/spec.ts'
import { isSocketAt } from '../socket-folders.ts'
import { isOfThisMachine } from './acceptor.ts'
import type { ProbeSubject } from './attempt.ts'

const ANY = new Set(['0.0.0.0', '::', ''])

/** The instance's own socket behind an address that it shares with others; null: it has none (yet), or not there. */
export function privatePath(
  endpoint: Endpoint,
  subject: Pick<ProbeSubject, 'listen' | 'privateFolder'>,
): string | null {
  if (subject.privateFolder === null) return null
  const at = listenServing(endpoint, subject.listen)
  if (at === -1) return null
  const path = join(subject.privateFolder, String(at))
  return isSocketAt(path) ? path : null
}

/** Which of the addresses a connection to the endpoint ends at; -1: none, or it is not of this machine. */
export function listenServing(endpoint: Endpoint, listen: readonly Listen[]): number {
  if (endpoint.type === 'unix') return listen.findIndex((it) => it.type === 'unix' && it.path === endpoint.path)
  const { port } = endpoint
  const host = plainHost(endpoint.host)
  const exact = listen.findIndex((it) => it.type === 'tcp' && it.port === port && plainHost(it.host ?? '') === host)
  if (exact !== -1) return exact
  if (!ANY.has(host) && !isOfThisMachine(host)) return -1
  return listen.findIndex((it) => it.type === 'tcp' && it.port === port && ANY.has(it.host ?? ''))
}

function plainHost(host: string): string {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase()
  return plain === 'localhost' ? '127.0.0.1' : plain
}
