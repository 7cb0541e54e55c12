import { portsOf } from '../model/ports.ts'
import type { PortHolder } from '../model/observed.ts'
import type { DriftItem, Guard } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'

/** Holders, by port, of what an app declares: the ports it listens on, and the local one it is asked for readiness on. */
export function findHolders(spec: AppSpec, holders: ReadonlyMap<number, PortHolder>): readonly PortHolder[] {
  if (holders.size === 0) return []
  const found: PortHolder[] = []
  for (const port of portsOf(spec)) {
    const holder = holders.get(port)
    if (holder !== undefined) found.push(holder)
  }
  return found.toSorted((a, b) => a.port - b.port)
}

export function foreignPortDrift(app: string, holder: PortHolder, blocks: boolean): DriftItem {
  const whose = holder.owner === undefined ? ', which eco did not start' : ''
  const cause = `port ${holder.port} is held by ${describeHolder(holder)}${whose}`
  return { app, instance: null, kind: 'foreign-port', cause, heal: blocks ? 'blocked' : 'none' }
}

export function foreignPortGuard(app: string, holder: PortHolder): Guard {
  const message = `${app} needs port ${holder.port}, but ${describeHolder(holder)} holds it`
  return { id: 'foreign-port', app, message, remedy: null }
}

function describeHolder(holder: PortHolder): string {
  const command = holder.command === null ? '' : ` (${holder.command})`
  const process = holder.pid === null ? `another process${command}` : `pid ${holder.pid}${command}`
  return holder.owner === undefined ? process : `${process} of ${holder.owner}`
}
