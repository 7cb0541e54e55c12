import type { Cron } from 'croner'
import type { EpochMs } from '../../model/ids.ts'
import type { Schedule } from '../../model/spec.ts'
import { type Due, ON_TIME_MS, whatIsDue } from './due.ts'

/**
 * The longest sleep of the timer. Timers do not count the time a machine is suspended, nor do they see a clock that is
 * set; and none may be longer than 24.8 days.
 */
const LONGEST_SLEEP_MS = 30_000

interface Entry {
  readonly schedule: Schedule
  readonly cron: Cron
  readonly due: (due: Due) => void
  consideredUntil: EpochMs
  nextAt: EpochMs | null
}

/** Tells when cron apps are due: one timer for all of them, none when there is none. croner is loaded for cron apps only. */
export class Scheduler {
  readonly #entries = new Map<string, Entry>()
  #timer: NodeJS.Timeout | undefined

  /**
   * (Re)schedules `owner`. A schedule that is armed already, and stays the same, goes on from where it is.
   *
   * @param since what was due after this time, and before now, is reported as missed; null: nothing was
   * @param due called once for each look at the clock that found something
   * @returns up to when the schedule has been considered
   */
  async set(owner: string, schedule: Schedule, since: EpochMs | null, due: (due: Due) => void): Promise<EpochMs> {
    const { Cron } = await import('croner')
    // Not before the await: two calls at once must not leave two timers.
    const known = this.#entries.get(owner)
    const now = Date.now()
    if (known && known.schedule.cron === schedule.cron && known.schedule.timezone === schedule.timezone) {
      this.#entries.set(owner, { ...known, schedule, due })
      return known.consideredUntil
    }
    const zone = schedule.timezone === null ? {} : { timezone: schedule.timezone }
    const cron = new Cron(schedule.cron, { paused: true, ...zone })
    const entry: Entry = { schedule, cron, due, consideredUntil: since ?? now, nextAt: null }
    this.#entries.set(owner, entry)
    this.#look(entry, now, 0)
    entry.nextAt = nextAfter(entry, Math.max(entry.consideredUntil, now))
    this.#sleep()
    return entry.consideredUntil
  }

  clear(owner: string): void {
    this.#entries.delete(owner)
    this.#sleep()
  }

  /** Null when it is not scheduled or never runs again. */
  nextRun(owner: string): EpochMs | null {
    return this.#entries.get(owner)?.nextAt ?? null
  }

  #tick(): void {
    const now = Date.now()
    for (const entry of this.#entries.values()) {
      const isDue = entry.nextAt !== null && entry.nextAt <= now
      if (isDue || now < entry.consideredUntil) this.#look(entry, now, ON_TIME_MS)
      entry.nextAt = nextAfter(entry, Math.max(entry.consideredUntil, now))
    }
    this.#sleep()
  }

  #look(entry: Entry, now: EpochMs, onTimeMs: number): void {
    const due = whatIsDue((after) => nextAfter(entry, after), entry.consideredUntil, now, onTimeMs)
    entry.consideredUntil = due.consideredUntil
    if (due.at !== null || due.missed !== null || due.clockSetBack) entry.due(due)
  }

  #sleep(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#entries.size === 0) return
    const next = Math.min(...[...this.#entries.values()].map(({ nextAt }) => nextAt ?? Number.POSITIVE_INFINITY))
    const pauseMs = Math.min(Math.max(0, next - Date.now()), LONGEST_SLEEP_MS)
    this.#timer = setTimeout(() => this.#tick(), pauseMs)
  }
}

function nextAfter({ cron }: Pick<Entry, 'cron'>, after: EpochMs): EpochMs | null {
  return cron.nextRun(new Date(after))?.getTime() ?? null
}
