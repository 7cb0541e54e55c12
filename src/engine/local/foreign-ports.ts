import type { PortHolder } from '../../model/observed.ts'
import { portsOf } from '../../model/ports.ts'
import type { DesiredState } from '../../model/spec.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import { inTree, listeningInodes, portHolder } from '../../supervisor/proc.ts'
import type { SocketRegister } from '../../supervisor/sockets.ts'

/** Ports the desired apps name that somebody outside eco listens on. */
export function foreignPorts(
  groups: ReadonlyMap<string, AppGroup>,
  sockets: SocketRegister,
  desired: DesiredState,
): PortHolder[] {
  const holders: PortHolder[] = []
  for (const [app, spec] of Object.entries(desired.apps)) {
    if (groups.get(app)?.runners.some((runner) => runner.process !== null)) continue
    for (const port of portsOf(spec)) {
      if (sockets.ownerOf({ type: 'tcp', host: null, port }) !== null) continue
      if (listeningInodes(port).length === 0) continue
      const holder = portHolder(port)
      // An app of this scope that the plan may remove or rename is no stranger.
      if (holder.pid !== null && isOwn(groups, holder.pid)) continue
      holders.push({ port, ...holder })
    }
  }
  return holders
}

function isOwn(groups: ReadonlyMap<string, AppGroup>, pid: number): boolean {
  const runners = [...groups.values()].flatMap((group) => group.runners)
  return runners.some((runner) => runner.process !== null && inTree(pid, runner.process.pid))
}
