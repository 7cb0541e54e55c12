import { fewOf, type Finding, ok, skipped, warning } from '../finding.ts'
import type { CgroupFacts } from '../look/cgroups.ts'

/** Apps that ask for what only a controller gives in full. */
export interface Limited {
  readonly memory: readonly string[]
  readonly cpu: readonly string[]
}

/** How a daemon could have cgroups delegated. */
export interface Delegation {
  readonly isSystemd: boolean
  /** By this command; null: by none, or it is so already. */
  readonly remedy: string | null
  /** None runs, and that which comes is not started from here. */
  readonly isYetToCome: boolean
}

export function judgeCgroups(facts: CgroupFacts, limited: Limited, delegation: Delegation): Finding[] {
  const { reason, base } = facts
  if (base === null && reason?.endsWith('no cgroups')) return [skipped('cgroups.tree', reason)]
  if (delegation.isYetToCome) return [skipped('cgroups.tree', 'what the daemon is given is seen once it runs')]
  return [
    judgeTree(facts, delegation.remedy),
    controller('memory', facts, limited.memory, delegation),
    controller('cpu', facts, limited.cpu, delegation),
  ]
}

function judgeTree({ reason, base, runs, empty }: CgroupFacts, remedy: string | null): Finding {
  if (reason === null) {
    const left = empty > 0 ? ` (${empty} of ${runs} are empty: the next daemon removes them)` : ''
    return ok('cgroups.tree', `apps have cgroups of their own, below ${base}${left}`)
  }
  const text = `apps get no cgroups: ${reason}. Their processes are told apart by session and by ECO_RUN in their environment`
  if (remedy === null) return skipped('cgroups.tree', text)
  return warning('cgroups.tree', `${text}; a unit with Delegate=yes is given one`, remedy)
}

const WITHOUT = {
  memory: 'limits.memory is kept by looking at what is used, which a fast leak outruns',
  cpu: 'limits.cpu is not kept',
} as const

function controller(
  name: 'memory' | 'cpu',
  facts: CgroupFacts,
  apps: readonly string[],
  { isSystemd, remedy }: Delegation,
): Finding {
  const id = `cgroups.${name}` as const
  if (facts.reason === null && facts.controllers.includes(name)) return ok(id, `the kernel keeps limits.${name}`)
  const text = `Without the ${name} controller of cgroup v2 ${WITHOUT[name]}`
  if (apps.length === 0) return skipped(id, `${text}; no app asks for it`)
  const whose = isSystemd ? '; units of systemd 254 and newer have it to give' : ''
  return warning(id, text + whose, remedy ?? 'eco explain limits', { details: fewOf(apps) })
}
