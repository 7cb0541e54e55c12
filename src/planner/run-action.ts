import { unreachable } from '../errors.ts'
import { range, replacesInstances, runningFrom } from './action.ts'
import type { Action, Situation } from './action.ts'
import type { Survey } from './survey.ts'

/** How the one run of a job stands. */
export type RunStatus = 'running' | 'completed' | 'failed' | 'missing'

/** A job's run counts only for the version it ran. */
export function runStatus(survey: Survey, version: number): RunStatus {
  if (survey.running.size > 0) return 'running'
  const run = survey.bySlot.get(0)
  if (run === undefined || run.version !== version) return 'missing'
  if (run.state !== 'exited' && run.state !== 'failed') return 'missing'
  return survey.finished.has(0) ? 'completed' : 'failed'
}

/** Decides what happens to a job: it runs when it is new, changed, failed, asked for, or at every apply when it says so. */
export function jobAction(now: Situation): Action | null {
  const status = runStatus(now.survey, now.version)
  const from = now.survey.running.size
  const run: Action = { action: 'run', from: 0, to: 1, slots: [0] }
  switch (now.edit.verb) {
    case 'stop':
      return stopRuns(now)
    case 'start':
      // What has completed is as started as it gets; `eco restart` runs it again.
      if (status === 'failed' || status === 'missing') return run
      return now.holdChanges ? { action: 'update', from, to: from, slots: [] } : null
    case 'restart':
      return run
    case 'reload':
    case 'scale':
    case 'delete':
      return null
    case null:
      if (now.edit.hold !== null) return now.impact === 'none' ? null : { action: 'update', from, to: from, slots: [] }
      if (now.before === null || replacesInstances(now.impact)) return run
      if (status === 'failed' || status === 'missing' || now.after.job.run === 'always') return run
      return now.impact !== 'none' || now.holdChanges ? { action: 'update', from, to: from, slots: [] } : null
    default:
      return unreachable(now.edit.verb)
  }
}

/** Decides what happens to a cron app: only its schedule is kept; a run that goes on is never touched by an apply. */
export function cronAction(now: Situation): Action | null {
  const from = now.survey.running.size
  if (now.edit.verb === 'stop') return stopRuns(now)
  // Run now, whatever the schedule says; it is armed too.
  if (now.edit.verb === 'restart') return { action: 'run', from, to: 1, slots: [0] }
  if (now.before === null || now.holdChanges) return { action: 'schedule', from, to: from, slots: [] }
  return now.impact === 'none' ? null : { action: 'update', from, to: from, slots: [] }
}

/** The kind of an app changed: everything of the old kind goes, then the new one begins. */
export function kindChangeAction(now: Situation): Action {
  const from = now.survey.running.size
  const isJob = now.after.kind === 'job' && now.edit.hold === null
  const to = isJob ? 1 : now.target
  const slots = [...runningFrom(now.survey, to), ...range(to)]
  if (from > 0) return { action: 'restart', from, to, slots }
  if (isJob) return { action: 'run', from, to, slots }
  if (now.after.kind === 'cron') return { action: 'schedule', from, to, slots }
  return { action: to > 0 ? 'start' : 'update', from, to, slots }
}

function stopRuns(now: Situation): Action | null {
  const slots = runningFrom(now.survey, 0)
  return now.holdChanges || slots.length > 0 ? { action: 'stop', from: slots.length, to: 0, slots } : null
}
