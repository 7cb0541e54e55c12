/** Whether a run goes on. Pure. */

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
  /** Nothing runs, and these apps wait for something that has ended. */
  | { readonly type: 'stuck'; readonly waiting: readonly string[] }
  /** All have ended; these instances not well. */
  | { readonly type: 'ended'; readonly failed: readonly string[] }
  /** These will not come back, and something else still runs. */
  | { readonly type: 'failed'; readonly failed: readonly string[] }

const GOES_ON: RunVerdict = { type: 'goes-on' }

/** @param keepGoing what has failed does not end the others */
export function verdictOf(apps: readonly AppNow[], keepGoing: boolean): RunVerdict {
  const failed = apps.filter((app) => isFinal(app)).flatMap(failedOf)
  if (failed.length > 0 && !keepGoing) return { type: 'failed', failed }
  if (!apps.every(isQuiet)) return GOES_ON
  const waiting = apps.filter(({ instances, wanted }) => instances.length < wanted).map(({ app }) => app)
  return waiting.length > 0 ? { type: 'stuck', waiting } : { type: 'ended', failed }
}

/** A cron app has its next run, and one whose files are watched the next version. */
function isFinal({ kind, isWatched }: AppNow): boolean {
  return kind !== 'cron' && !isWatched
}

function failedOf({ instances }: AppNow): string[] {
  return instances.filter(({ state }) => state === 'failed').map(({ instance }) => instance)
}

/** Nothing of it runs, or will by itself. One that waits for others has no instance yet. */
function isQuiet(app: AppNow): boolean {
  if (app.kind === 'cron') return false
  if (app.instances.some(({ state }) => state === 'lives' || state === 'held')) return false
  return !app.isWatched || failedOf(app).length === 0
}
