/** Carries out a plan on an engine: every step as soon as its prerequisites have succeeded. Decides nothing else. */

import type { Engine, StepOrder, StepOutcome } from '../engine/engine.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import type { AppliedApp, AppliedState } from '../model/applied.ts'
import type { StepEvent, StepStatus } from '../model/events.ts'
import { scopeName } from '../model/ids.ts'
import type { PlannedChange, Step, StepAction } from '../model/plan.ts'
import { waitsFor } from '../model/waits.ts'
import { Cancellation } from './cancellation.ts'

export interface StepResult {
  readonly step: Step
  readonly outcome: StepOutcome
}

export async function execute(
  change: PlannedChange,
  applied: AppliedState,
  engine: Engine,
  emit: (event: StepEvent) => void,
  cancellation = new Cancellation(),
): Promise<StepResult[]> {
  const { scope, steps } = change.plan
  const running = new Map<number, Promise<StepResult>>()
  const begun = new Map<number, Promise<StepResult | null>>()
  const byId = new Map(steps.map((step) => [step.id, step]))
  const tell = (step: Step, status: StepStatus, message: string | null = null): void =>
    emit({
      type: 'step',
      at: Date.now(),
      scope: scopeName(scope),
      id: step.id,
      app: step.app,
      action: step.action,
      status,
      message,
    })

  /** Waits for the steps before it. @returns why it cannot begin, or null */
  const turn = async (step: Step, order: StepOrder, signal: AbortSignal): Promise<string | null> => {
    if (step.after.length === 0) return null
    const conditions = order.after?.spec.dependsOn ?? {}
    // What must only be started is under way once its step has begun: the engine waits for the process itself.
    const onlyStarted = (id: number): boolean => conditions[byId.get(id)?.app ?? ''] === 'started'
    const leave = engine.queue(
      order,
      step.after.flatMap((id) => byId.get(id) ?? []),
    )
    const before = Promise.all(step.after.map(async (id) => (onlyStarted(id) ? begun.get(id) : running.get(id))))
    const results = await Promise.race([before, whenAborted(signal)])
    leave()
    // Its own first half has taken the app down: it comes up again as soon as the engine sees its dependencies there.
    if (step.after.some((id) => byId.get(id)?.app === step.app)) return null
    const blocker = results.find((result) => result && result.outcome.status !== 'done')
    return blocker && blocker.outcome.status !== 'done'
      ? waitsFor(blocker.step.app, null, blocker.outcome.reason)
      : null
  }

  const perform = async (step: Step, begin: () => void): Promise<StepResult> => {
    const order = { scope, step, before: own(applied.apps, step.app), after: own(change.next, step.app) }
    const signal = isCancellable(step) ? cancellation.signal(step.app) : NEVER
    const blocked = await turn(step, order, signal)
    if (signal.aborted || blocked !== null) {
      const reason = signal.aborted ? String(signal.reason) : String(blocked)
      tell(step, 'skipped', reason)
      return { step, outcome: { status: 'skipped', reason } }
    }
    tell(step, 'started')
    begin()
    // A throw is a bug in eco; the other steps go on all the same, and what they did must be recorded.
    const outcome = await engine
      .perform(order, (message, status = 'progress') => tell(step, status, message), signal)
      .catch((error: Error): StepOutcome => ({ status: 'failed', reason: `Internal error: ${error.message}`, log: [] }))
    tell(step, outcome.status, outcome.status === 'done' ? null : outcome.reason)
    return { step, outcome }
  }
  // Steps are in topological order, so what a step waits for is already in the map.
  for (const step of steps) {
    let begin = (): void => {}
    const started = new Promise<null>((resolve) => {
      begin = () => resolve(null)
    })
    const result = perform(step, begin)
    cancellation.track(step.app, result)
    running.set(step.id, result)
    begun.set(step.id, Promise.race([started, result]))
  }
  return Promise.all(running.values())
}

const NEVER = new AbortController().signal

/** What takes something down goes through, whoever asks. */
function isCancellable({ action }: Step): boolean {
  return action !== 'stop' && action !== 'remove'
}

function whenAborted(signal: AbortSignal): Promise<readonly never[]> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve([])
    if (signal !== NEVER) signal.addEventListener('abort', () => resolve([]), { once: true })
  })
}

/** What is applied once the steps have ended as they did: an app that could not change keeps its old spec. */
export function resultingApps(
  change: PlannedChange,
  applied: AppliedState,
  results: readonly StepResult[],
): Record<string, AppliedApp> {
  const apps: Record<string, AppliedApp> = { ...change.next }
  for (const result of results) {
    if (!isUndone(result)) continue
    const { app } = result.step
    const before = own(applied.apps, app)
    if (before) apps[app] = before
    else delete apps[app]
  }
  return apps
}

/**
 * Whether what a step was to make of its app is not what is wanted of it now. A start or run that failed still is, and the
 * supervisor goes on trying; a version that could not take the place of the old one is not tried again by itself.
 */
export function isUndone({ step, outcome }: StepResult): boolean {
  if (outcome.status === 'rolled-back' || outcome.status === 'skipped') return true
  return outcome.status === 'failed' && (REPLACES.has(step.action) || step.action === 'remove')
}

const REPLACES: ReadonlySet<StepAction> = new Set<StepAction>(['roll', 'restart'])

/** The exit code of an apply (DESIGN §5): the worst of its steps. */
export function exitCodeOf(results: readonly StepResult[]): ExitCode {
  const statuses = results.map((result) => result.outcome.status)
  if (statuses.includes('failed')) return EXIT.needsPerson
  if (results.some(({ outcome }) => outcome.status === 'rolled-back' && outcome.isDown)) return EXIT.needsPerson
  if (statuses.includes('rolled-back')) return EXIT.rolledBack
  // Nothing failed for good: it stays as it is, or somebody cancelled it.
  if (statuses.includes('kept') || statuses.includes('skipped')) return EXIT.notReady
  return EXIT.ok
}

/** App names are the user's: `constructor` is one. */
function own(apps: Readonly<Record<string, AppliedApp>>, app: string): AppliedApp | null {
  return Object.hasOwn(apps, app) ? (apps[app] ?? null) : null
}
