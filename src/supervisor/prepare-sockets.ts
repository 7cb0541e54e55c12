import type { AppSpec } from '../model/spec.ts'
import type { AppGroup } from './app-group.ts'
import { usesSystemdProtocol } from './environment.ts'
import type { SocketRegister } from './sockets.ts'

/**
 * What an app's sockets need before a process of it is started.
 *
 * @returns null: nothing to wait for. Never fails: what cannot be bound is told by the start itself
 */
export function prepareSockets(group: AppGroup, spec: AppSpec, sockets: SocketRegister): Promise<unknown> | null {
  // What no instance declares any more, this one may want to bind by itself.
  sockets.release(group.owner, [...spec.listen, ...group.runners.flatMap((runner) => runner.listens)])
  if (!usesSystemdProtocol(spec)) return null
  try {
    for (const listen of spec.listen) sockets.acquire(listen, group.owner)
  } catch {
    return null
  }
  const hasSiblings = group.runners.some(({ process }) => process !== null)
  // nginx takes them by this variable, as from an nginx before it: it relies on calls that do not block.
  const blocks = !Object.hasOwn(spec.env, 'NGINX')
  return sockets.readyForSystemd(spec.listen, { hasSiblings, blocks })
}
