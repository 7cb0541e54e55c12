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
  const { reason, base, runs, empty } = facts
  if (base === null && /no cgroups$/.test(reason ?? '')) return [skipped('cgroups.tree', reason ?? '')]
  const tree =
    reason === null
      ? ok('cgroups.tree', `apps have cgroups of their own, below ${base}`)
      : isSystemd
        ? warning('cgroups.tree', `${withoutTree(reason)}; a unit with Delegate=yes is given one`, remedy)
        : skipped('cgroups.tree', withoutTree(reason))
  return [
    tree,
    controller('memory', facts, limited.memory, remedy),
    controller('cpu', facts, limited.cpu, remedy),
    ...(runs === 0
      ? []
      : [
          ok(
            'cgroups.runs',
            `${runs} of runs${empty > 0 ? `, ${empty} of them empty: the next daemon removes those` : ''}`,
          ),
        ]),
  ]
}

function withoutTree(reason: string): string {
  return `apps get no cgroups: ${reason}. Their processes are told apart by session and by ECO_RUN in their environment`
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
