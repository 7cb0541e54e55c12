import type { AppChange, Plan, Step } from '../model/plan.ts'

/** How many of what: the numbers of the last line. */
export interface Summary {
  readonly create: number
  readonly live: number
  readonly scale: number
  readonly roll: number
  readonly restart: number
  readonly destroy: number
  readonly noop: number
  readonly drift: number
  readonly steps: number
}

export function summarize(plan: Plan): Summary {
  const count = { create: 0, live: 0, scale: 0, roll: 0, restart: 0, destroy: 0 }
  for (const change of plan.changes) {
    const kind = summaryKind(change)
    if (kind !== null) count[kind]++
  }
  return { ...count, noop: plan.unchanged.length, drift: plan.drift.length, steps: plan.steps.length }
}

/** The word a change is shown and counted under. */
export function summaryKind(change: AppChange): Exclude<keyof Summary, 'noop' | 'drift' | 'steps'> | null {
  if (change.kind === 'create') return 'create'
  return change.impact === 'none' ? null : change.impact
}

/** What a plan means for those who use the apps. */
export interface Note {
  readonly level: 'info' | 'warning'
  readonly action: 'roll' | 'restart'
  readonly apps: readonly string[]
  readonly effect: string
}

const ROLL = 'no downtime: each new instance is ready before the old one stops'
const EXCLUSIVE = 'down while it restarts: two copies cannot run at once'
const REPLACED = 'down while it changes its kind'
const ASKED = 'each instance is down while it restarts'

export function availability(plan: Plan): readonly Note[] {
  const rolls = plan.steps.filter((step) => step.action === 'roll')
  const smooth = rolls.filter((step) => shortage(step) === 0).map((step) => step.app)
  const notes: Note[] = smooth.length > 0 ? [{ level: 'info', action: 'roll', apps: smooth, effect: ROLL }] : []
  for (const step of rolls) {
    const down = shortage(step)
    if (down === 0) continue
    const effect = down >= step.from ? 'down while it is replaced' : `${down} of ${step.from} instances down at a time`
    notes.push({ level: down >= step.from ? 'warning' : 'info', action: 'roll', apps: [step.app], effect })
  }
  for (const effect of [EXCLUSIVE, REPLACED, ASKED]) {
    const apps = plan.steps.filter((step) => restartEffect(plan, step) === effect).map((step) => step.app)
    if (apps.length > 0) notes.push({ level: 'warning', action: 'restart', apps, effect })
  }
  return notes
}

/** How many instances fewer than before, or than wanted, serve at the worst moment of a roll. */
function shortage({ from, to, operations }: Step): number {
  let serving = from
  let least = from
  for (const { op } of operations) {
    if (op === 'wait_ready') serving++
    if (op === 'stop') serving--
    least = Math.min(least, serving)
  }
  return Math.max(0, Math.min(from, to) - least)
}

function restartEffect(plan: Plan, step: Step): string | null {
  if (step.action !== 'restart') return null
  if (plan.verb === 'restart') return ASKED
  const change = plan.changes.find(({ app }) => app === step.app)
  return change?.fields.some(({ path }) => path === 'kind') === true ? REPLACED : EXCLUSIVE
}
