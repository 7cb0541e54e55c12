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
  const rolled = plan.steps.filter((step) => step.action === 'roll').map((step) => step.app)
  const notes: Note[] = rolled.length > 0 ? [{ level: 'info', action: 'roll', apps: rolled, effect: ROLL }] : []
  for (const effect of [EXCLUSIVE, REPLACED, ASKED]) {
    const apps = plan.steps.filter((step) => restartEffect(plan, step) === effect).map((step) => step.app)
    if (apps.length > 0) notes.push({ level: 'warning', action: 'restart', apps, effect })
  }
  return notes
}

function restartEffect(plan: Plan, step: Step): string | null {
  if (step.action !== 'restart') return null
  if (plan.verb === 'restart') return ASKED
  const change = plan.changes.find(({ app }) => app === step.app)
  return change?.fields.some(({ path }) => path === 'kind') === true ? REPLACED : EXCLUSIVE
}
