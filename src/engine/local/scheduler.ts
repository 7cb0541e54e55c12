import type { Cron } from 'croner'
import type { Schedule } from '../../model/spec.ts'

/** Fires cron apps. croner is loaded only when there is one. */
export class Scheduler {
  readonly #jobs = new Map<string, { readonly schedule: Schedule; readonly cron: Cron }>()

  /** (Re)schedules `owner`. */
  async set(owner: string, schedule: Schedule, fire: () => void): Promise<void> {
    const { Cron } = await import('croner')
    this.clear(owner) // not before the await: two calls at once must not leave two jobs
    const options = schedule.timezone === null ? {} : { timezone: schedule.timezone }
    this.#jobs.set(owner, { schedule, cron: new Cron(schedule.cron, options, fire) })
  }

  clear(owner: string): void {
    this.#jobs.get(owner)?.cron.stop()
    this.#jobs.delete(owner)
  }

  /** Epoch ms of the next run; null when it is not scheduled or never runs again. */
  nextRun(owner: string): number | null {
    return this.#jobs.get(owner)?.cron.nextRun()?.getTime() ?? null
  }
}
