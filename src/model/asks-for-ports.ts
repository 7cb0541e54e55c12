import type { AppSpec } from './spec.ts'

const NODE = new Set(['node', 'nodejs'])

/**
 * Whether eco gives an app the sockets of the ports it listens on, although it declares none: Node itself runs it (behind
 * a wrapper like npm there is no way to ask), and it stays up.
 */
export function asksForPorts({ kind, command, listen }: Pick<AppSpec, 'kind' | 'command' | 'listen'>): boolean {
  return kind === 'service' && listen.length === 0 && NODE.has(command[0]?.split('/').at(-1) ?? '')
}
