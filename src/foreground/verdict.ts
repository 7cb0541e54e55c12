/** Whether the run goes on. Pure. */

import type { AppKind } from '../model/spec.ts'

/** An app as it is now. */
export interface AppNow {
  readonly app: string
  readonly kind: AppKind
  /** Instances that it is to have. */
  readonly wanted: number
  /** A change of its files starts it again. */
  readonly isWatched: boolean
  readonly instances: readonly InstanceNow[]
}

export interface InstanceNow {
  readonly instance: string
  /** `lives`: it runs, or will by itself. `held`: an operator stopped it. */
  readonly state: 'lives' | 'held' | 'succeeded' | 'failed'
}

export type RunVerdict =
  | { readonly type: 'goes-on' }
  /** All have ended; these instances not well. */
  | { readonly type: 'ended'; readonly failed: readonly string[] }
  /** These will not come back, and something else still runs. */
  | { readonly type: 'failed'; readonly failed: readonly string[] }

const GOES_ON: RunVerdict = { type: 'goes-on' }

/** @param keepGoing what has failed does not end the others */
export function verdictOf(apps: readonly AppNow[], keepGoing: boolean): RunVerdict {
  const failed = apps.filter((app) => isFinal(app)).flatMap(failedOf)
  if (failed.length > 0 && !keepGoing) return { type: 'failed', failed }
  return apps.every(hasEnded) ? { type: 'ended', failed } : GOES_ON
}

/** A cron app has its next run, and one whose files are watched the next version. */
function isFinal({ kind, isWatched }: AppNow): boolean {
  return kind !== 'cron' && !isWatched
}

function failedOf({ instances }: AppNow): string[] {
  return instances.filter(({ state }) => state === 'failed').map(({ instance }) => instance)
}

function hasEnded(app: AppNow): boolean {
  if (app.kind === 'cron') return false
  if (app.instances.some(({ state }) => state === 'lives' || state === 'held')) return false
  if (app.isWatched && failedOf(app).length > 0) return false
  // One that waits for others has no instance yet.
  return app.instances.length >= app.wanted
}
