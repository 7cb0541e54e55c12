import { fewOf, type Finding, ok, skipped, warning } from '../finding.ts'
import type { CgroupFacts } from '../look/cgroups.ts'

/** Apps that ask for what only a controller gives in full. */
export interface Limited {
  readonly memory: readonly string[]
  readonly cpu: readonly string[]
}

/** @param isSystemd then `eco startup` can have them delegated */
export function judgeCgroups(facts: CgroupFacts, limited: Limited, isSystemd: boolean): Finding[] {
  const remedy = isSystemd ? 'eco startup' : 'eco explain limits'
  const { reason, base } = facts
  if (base === null && reason?.endsWith('no cgroups')) return [skipped('cgroups.tree', reason)]
  return [
    judgeTree(facts, isSystemd, remedy),
    controller('memory', facts, limited.memory, remedy),
    controller('cpu', facts, limited.cpu, remedy),
  ]
}

function judgeTree({ reason, base, runs, empty }: CgroupFacts, isSystemd: boolean, remedy: string): Finding {
  if (reason === null) {
    const left = empty > 0 ? ` (${empty} of ${runs} are empty: the next daemon removes them)` : ''
    return ok('cgroups.tree', `apps have cgroups of their own, below ${base}${left}`)
  }
  const text = `apps get no cgroups: ${reason}. Their processes are told apart by session and by ECO_RUN in their environment`
  if (!isSystemd) return skipped('cgroups.tree', text)
  return warning('cgroups.tree', `${text}; a unit with Delegate=yes is given one`, remedy)
}

const WITHOUT = {
  memory: 'limits.memory is kept by looking at what is used, which a fast leak outruns',
  cpu: 'limits.cpu is not kept',
} as const

function controller(name: 'memory' | 'cpu', facts: CgroupFacts, apps: readonly string[], remedy: string): Finding {
  const id = `cgroups.${name}` as const
  if (facts.reason === null && facts.controllers.includes(name)) return ok(id, `the kernel keeps limits.${name}`)
  const text = `Without the ${name} controller of cgroup v2 ${WITHOUT[name]}`
  return apps.length === 0
    ? skipped(id, `${text}; no app asks for it`)
    : warning(id, text, remedy, { details: fewOf(apps) })
}
