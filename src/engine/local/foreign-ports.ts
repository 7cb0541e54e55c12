import type { PortHolder } from '../../model/observed.ts'
import { portsOf } from '../../model/ports.ts'
import type { AppSpec, DesiredState } from '../../model/spec.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import { commandOf, inTree, listeningInodes, portHolder } from '../../supervisor/proc.ts'
import type { SocketRegister } from '../../supervisor/sockets.ts'

/**
 * Ports the desired apps name that nobody of their scope listens on, but somebody else does.
 *
 * @param groups of the scope
 * @param all of every scope
 */
export function foreignPorts(
  groups: ReadonlyMap<string, AppGroup>,
  all: Iterable<AppGroup>,
  sockets: SocketRegister,
  desired: DesiredState,
): PortHolder[] {
  const holders: PortHolder[] = []
  for (const [app, spec] of Object.entries(desired.apps)) {
    if (groups.get(app)?.runners.some((runner) => runner.process !== null)) continue
    for (const port of portsOf(spec)) {
      const owner = sockets.ownerOf({ type: 'tcp', host: null, port })
      const holder = owner === null ? strangerOn(port, groups) : neighbourOn(port, owner, spec, groups, all)
      if (holder !== null) holders.push(holder)
    }
  }
  return holders
}

function strangerOn(port: number, groups: ReadonlyMap<string, AppGroup>): PortHolder | null {
  if (listeningInodes(port).length === 0) return null
  const holder = portHolder(port)
  // An app of this scope that the plan may remove or rename is no stranger.
  return holder.pid !== null && isOwn(groups, holder.pid) ? null : { port, ...holder }
}

/** An app of another scope that was given the port. Who declares it too is told when it is bound. */
function neighbourOn(
  port: number,
  owner: string,
  spec: AppSpec,
  groups: ReadonlyMap<string, AppGroup>,
  all: Iterable<AppGroup>,
): PortHolder | null {
  const isDeclared = spec.listen.some((listen) => listen.type === 'tcp' && listen.port === port)
  if (isDeclared || [...groups.values()].some((group) => group.owner === owner)) return null
  const runners = [...all].find((group) => group.owner === owner)?.runners ?? []
  const pid = runners.find((runner) => runner.process !== null)?.process?.pid ?? null
  return { port, pid, command: pid === null ? null : commandOf(pid), owner }
}

function isOwn(groups: ReadonlyMap<string, AppGroup>, pid: number): boolean {
  const runners = [...groups.values()].flatMap((group) => group.runners)
  return runners.some((runner) => runner.process !== null && inTree(pid, runner.process.pid))
}
