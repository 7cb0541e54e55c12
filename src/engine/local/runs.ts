import type { AppliedApp } from '../../model/applied.ts'
import { type EpochMs, instanceName } from '../../model/ids.ts'
import { openRun, outcomeText, type RunHistory, type RunTrigger } from '../../model/runs.ts'
import type { AppSpec, Schedule } from '../../model/spec.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import type { RunnerHost } from '../../supervisor/runner-host.ts'
import { whenCompleted } from './await.ts'
import { countRuns, type Due } from './due.ts'
import { logTail } from './log-tail.ts'
import type { Failure } from './prove.ts'
import { retire } from './replace.ts'
import { type RunHistories, RunJournal } from './run-journal.ts'
import { isGoingOn, watchRun } from './run-watch.ts'
import { Scheduler } from './scheduler.ts'

/** Runs of a job that are remembered. */
const JOB_HISTORY = 10

/** What runs depend on. */
export interface RunDependencies {
  /** Why a run must not begin now: `db is not ready: …`; null: nothing is in its way. */
  blocking(group: AppGroup, spec: AppSpec): string | null
  /** Waits until nothing is. @returns null, or why that will not be */
  met(group: AppGroup, spec: AppSpec): Promise<string | null>
}

/** The runs of jobs and of cron apps: processes that end by design. */
export class Runs {
  readonly #host: RunnerHost
  readonly #journal: RunJournal
  readonly #scheduler = new Scheduler()
  /** What each armed cron app runs as. */
  readonly #armed = new Map<string, AppliedApp>()
  /** Why a run was told to end, where it was not an operator. */
  readonly #replaced = new WeakSet<InstanceRunner>()

  readonly #dependencies: RunDependencies

  constructor(host: RunnerHost, histories: RunHistories, dependencies: RunDependencies) {
    this.#host = host
    this.#dependencies = dependencies
    this.#journal = new RunJournal(histories)
  }

  history(group: AppGroup): RunHistory {
    return this.#journal.of(group)
  }

  nextRun(owner: string): EpochMs | null {
    return this.#scheduler.nextRun(owner)
  }

  /**
   * Arms the schedule of a cron app.
   *
   * @param since `stored`: what was due since a daemon last looked was missed; `now`: nothing was
   */
  async schedule(group: AppGroup, applied: AppliedApp, since: 'stored' | 'now'): Promise<void> {
    const { schedule } = applied.spec
    if (!schedule) return
    this.#armed.set(group.owner, applied)
    const from = since === 'stored' ? this.#journal.of(group).consideredUntil : null
    const consideredUntil = await this.#scheduler.set(group.owner, schedule, from, (due) =>
      this.#onDue(group, schedule, due),
    )
    // Stopped while croner was being loaded.
    if (!this.#armed.has(group.owner)) return this.#scheduler.clear(group.owner)
    this.#journal.update(group, (history) => ({ ...history, consideredUntil }))
    this.#startQueued(group)
  }

  /** No runs any more, until it is scheduled again. */
  unschedule(group: AppGroup): void {
    this.#scheduler.clear(group.owner)
    if (!this.#armed.delete(group.owner)) return
    this.#journal.update(group, (history) => (history.queuedAt === null ? history : { ...history, queuedAt: null }))
  }

  /** Runs a job to its end, retries included. @returns null, or why it has not completed */
  async run(group: AppGroup, applied: AppliedApp, trigger: RunTrigger): Promise<Failure | null> {
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    const runner = this.#start(group, applied, trigger, null)
    const verdict = await whenCompleted(runner)
    return verdict && { reason: `${group.app} ${verdict.reason}`, log: logTail(runner) }
  }

  /** Runs a cron app now, in place of a run that goes on; its schedule is kept. */
  async runNow(group: AppGroup, applied: AppliedApp): Promise<void> {
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    this.#start(group, applied, 'operator', null)
  }

  /** A run that an earlier daemon started goes on. */
  adopted(group: AppGroup, runner: InstanceRunner): void {
    if (openRun(this.#journal.of(group)) === null) {
      const { startedAt } = runner.observe()
      const run = { trigger: 'schedule', version: runner.version, scheduledAt: null, startedAt } as const
      this.#journal.begin(group, run, limitOf(runner.spec.schedule))
    }
    this.#watch(group, runner)
  }

  forget(group: AppGroup): void {
    this.#journal.forget(group)
  }

  #onDue(group: AppGroup, schedule: Schedule, due: Due): void {
    const applied = this.#armed.get(group.owner)
    if (!applied) return
    const { version } = applied
    this.#journal.update(group, (history) => ({ ...history, consideredUntil: due.consideredUntil }))
    if (due.clockSetBack)
      this.#tell(group, 'run_skipped', 'the clock of the machine was set back; the schedule follows it')
    const makesUp = due.missed !== null && due.at === null && schedule.missed === 'run_once'
    if (due.missed) {
      const { count, first } = due.missed
      const since = new Date(first).toISOString()
      const reason = makesUp ? 'one run makes up for them' : 'not made up for'
      this.#tell(group, 'run_skipped', `missed ${countRuns(count)} since ${since}: ${NOBODY_LOOKED}; ${reason}`)
      const fate = { outcome: 'missed', reason: NOBODY_LOOKED, version } as const
      this.#journal.neverStarted(group, fate, due.missed, limitOf(schedule))
    }
    if (due.at !== null) this.#fire(group, applied, schedule, 'schedule', due.at)
    else if (due.missed && makesUp) this.#fire(group, applied, schedule, 'missed', due.missed.last)
  }

  #fire(group: AppGroup, applied: AppliedApp, schedule: Schedule, trigger: RunTrigger, at: EpochMs): void {
    // The one before it may have ended this very moment, and what waited for that be yet to start.
    if (schedule.overlap === 'queue') this.#startQueued(group)
    const going = group.runners.find(isGoingOn)
    const { queuedAt } = this.#journal.of(group)
    if (!going) {
      if (queuedAt !== null) this.#skip(group, applied, queuedAt, 'a later one took its place')
      this.#journal.update(group, (history) => ({ ...history, queuedAt: null }))
      this.#startUnlessBlocked(group, applied, trigger, at)
      return
    }
    if (schedule.overlap === 'skip') return this.#skip(group, applied, at, 'the one before it still ran')
    if (schedule.overlap === 'queue' && queuedAt !== null) {
      return this.#skip(group, applied, at, 'another one waited already')
    }
    if (queuedAt !== null) this.#skip(group, applied, queuedAt, 'a later one took its place')
    this.#journal.update(group, (history) => ({ ...history, queuedAt: at }))
    if (schedule.overlap === 'queue')
      return this.#tell(group, 'run_skipped', 'scheduled run queued: the one before it still runs')
    if (this.#replaced.has(going)) return
    this.#tell(group, 'run_skipped', 'scheduled run replaces the one before it')
    this.#replaced.add(going)
    going.stop()
  }

  #skip(group: AppGroup, { version, spec }: AppliedApp, at: EpochMs, reason: string): void {
    const last = this.#journal.of(group).runs.at(-1)
    // The first of a row is told; the history counts the others.
    const isTold = last?.outcome === 'skipped' && cause(last.reason ?? '') === cause(reason)
    if (!isTold) this.#tell(group, 'run_skipped', `scheduled run skipped: ${reason}`)
    const times = { first: at, last: at, count: 1 }
    this.#journal.neverStarted(group, { outcome: 'skipped', reason, version }, times, limitOf(spec.schedule))
  }

  /** Starts what waited for the run before it to end, unless it was stopped meanwhile. */
  #startQueued(group: AppGroup): void {
    const applied = this.#armed.get(group.owner)
    const { queuedAt } = this.#journal.of(group)
    if (!applied || queuedAt === null || group.runners.some(isGoingOn)) return
    this.#journal.update(group, (history) => ({ ...history, queuedAt: null }))
    this.#startUnlessBlocked(group, applied, 'schedule', queuedAt)
  }

  /** Nobody waits for a run that is due: without what it depends on it is left out, and the next one is tried. */
  #startUnlessBlocked(group: AppGroup, applied: AppliedApp, trigger: RunTrigger, at: EpochMs): void {
    const blocking = this.#dependencies.blocking(group, applied.spec)
    if (blocking === null) this.#start(group, applied, trigger, at)
    else if (trigger === 'missed') void this.#makeUpLater(group, applied, at)
    else this.#skip(group, applied, at, blocking)
  }

  /** After a boot what it depends on is only on its way. */
  async #makeUpLater(group: AppGroup, applied: AppliedApp, at: EpochMs): Promise<void> {
    const blocked = await this.#dependencies.met(group, applied.spec)
    if (this.#armed.get(group.owner) !== applied) return
    if (group.runners.some(isGoingOn)) return this.#skip(group, applied, at, 'a later one took its place')
    if (blocked === null) this.#start(group, applied, 'missed', at)
    else this.#skip(group, applied, at, blocked)
  }

  #start(group: AppGroup, applied: AppliedApp, trigger: RunTrigger, scheduledAt: EpochMs | null): InstanceRunner {
    for (const ended of group.runners) group.drop(ended)
    const runner = group.add(0, applied)
    const run = { trigger, version: applied.version, scheduledAt, startedAt: Date.now() }
    this.#journal.begin(group, run, limitOf(applied.spec.schedule))
    this.#watch(group, runner)
    this.#tell(group, 'run_started', STARTED[trigger])
    runner.start()
    return runner
  }

  #watch(group: AppGroup, runner: InstanceRunner): void {
    watchRun(runner, {
      attempt: (number) => this.#journal.attempt(group, number),
      ended: (end) => {
        const reason = this.#replaced.has(runner) ? 'the next run took its place' : end.reason
        this.#journal.end(group, { ...end, reason })
        this.#tell(group, 'run_ended', `run ${outcomeText(end.outcome)}${reason === null ? '' : `: ${reason}`}`)
        // Others hear of the end, too, before the runner is dropped.
        setImmediate(() => this.#startQueued(group))
      },
    })
  }

  #tell(group: AppGroup, event: 'run_started' | 'run_skipped' | 'run_ended', message: string): void {
    this.#host.record(group.scope, group.app, instanceName(group.app, 0), message, event)
  }
}

/** `db is not ready`, whatever it does about it at the moment. */
function cause(reason: string): string {
  return reason.split(':', 1)[0] ?? ''
}

const NOBODY_LOOKED = 'no daemon ran, or the machine slept or was too busy'

const STARTED: Readonly<Record<RunTrigger, string>> = {
  schedule: 'scheduled run started',
  missed: 'run started that makes up for missed ones',
  apply: 'run started',
  operator: 'run started by an operator',
}

function limitOf(schedule: Schedule | null): number {
  return schedule?.history ?? JOB_HISTORY
}
