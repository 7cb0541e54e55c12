import { RLIMITS } from '../model/spec.ts'
import type { ProcessAttributes, RlimitName } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { accountProblem } from './accounts.ts'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import { parseSize } from './size.ts'

/**
 * As whom, and with which attributes, an app runs. What this machine or this caller cannot give is an error where
 * somebody is about to apply, and a warning elsewhere.
 */
export function buildAttributes(app: AppNode, { problems, missing }: BuildContext): ProcessAttributes {
  const { user, group, umask, nice, oom_score_adj: oomScoreAdj, ulimits } = app.data
  const usual = SPEC_DEFAULTS.attributes
  for (const [kind, name] of [['user', user] as const, ['group', group] as const]) {
    if (name === undefined || name === null) continue
    const problem = accountProblem(kind, String(name))
    if (problem) missing(app.at(kind), `${app.label}.${kind} ${problem.message}`, problem.hint)
  }
  if (process.getuid?.() !== 0) {
    for (const [key, value] of [['nice', nice] as const, ['oom_score_adj', oomScoreAdj] as const]) {
      if ((value ?? 0) >= 0) continue
      problems.warning(app.at(key), `${app.label}.${key} is below 0, which as a rule only root may have`)
    }
  }
  return {
    user: user === undefined || user === null ? null : String(user),
    group: group === undefined || group === null ? null : String(group),
    umask: umask ? Number.parseInt(umask, 8) : usual.umask,
    nice: nice ?? null,
    oomScoreAdj: oomScoreAdj ?? null,
    rlimits: ulimits ? rlimits(ulimits) : usual.rlimits,
  }
}

type Ulimits = NonNullable<AppNode['data']['ulimits']>

function rlimits(ulimits: Ulimits): ProcessAttributes['rlimits'] {
  const limits: Partial<Record<RlimitName, number | 'unlimited'>> = {}
  for (const name of RLIMITS) {
    const value = ulimits[name]
    if (value === undefined || value === null) continue
    if (value === 'unlimited') limits[name] = value
    else limits[name] = typeof value === 'number' ? value : (parseSize(value) ?? Number(value))
  }
  return limits
}
