import type { AppKind, Schedule } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'

/** The schedule of a cron app; null for any other. croner is loaded for cron apps only. */
export async function buildSchedule(app: AppNode, kind: AppKind, report: Report): Promise<Schedule | null> {
  if (kind !== 'cron') return null
  const { schedule, timezone, overlap, missed, history } = app.data
  if (!schedule) {
    report(app.at(), `${app.label} is a cron app, so it needs a schedule`, 'schedule: "0 3 * * *"')
    return null
  }
  if (timezone && !isTimezone(timezone)) {
    const message = `${app.label}.timezone must be an IANA time zone like Europe/Oslo, but was ${JSON.stringify(timezone)}`
    report(app.at('timezone'), message)
    return null
  }
  const problem = await cronProblem(schedule, timezone ?? null)
  if (problem) report(app.at('schedule'), `${app.label}.schedule ${problem}`, '"0 3 * * *" is every day at 03:00')
  return {
    cron: schedule,
    timezone: timezone ?? null,
    overlap: overlap ?? 'skip',
    missed: missed ?? 'skip',
    history: history ?? 10,
  }
}

function isTimezone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name })
    return /^[A-Za-z]/.test(name)
  } catch {
    return false
  }
}

async function cronProblem(schedule: string, timezone: string | null): Promise<string | null> {
  const fields = schedule.trim().split(/\s+/).length
  if (fields < 5 || fields > 6) return `must have five fields, or six with seconds first, but has ${fields}`
  const { Cron } = await import('croner')
  try {
    const cron = new Cron(schedule, { paused: true, mode: '5-or-6-parts', ...(timezone && { timezone }) })
    return cron.nextRun() ? null : `never comes: ${JSON.stringify(schedule)}`
  } catch (error) {
    const reason = String(error).replace(/^\w+: (CronPattern: )?/, '')
    return `is no cron expression: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`
  }
}
