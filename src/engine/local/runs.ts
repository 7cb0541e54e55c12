import type { AppliedApp } from '../../model/applied.ts'
import type { ScopeId } from '../../model/ids.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { RunnerHost } from '../../supervisor/instance-runner.ts'
import { whenCompleted } from './await.ts'
import { type GroupRegister, ownerName } from './group-register.ts'
import { logTail } from './log-tail.ts'
import { type Failure, retire } from './replace.ts'
import { Scheduler } from './scheduler.ts'

/** The runs of jobs and of cron apps: processes that end by design. */
export class Runs {
  readonly #host: RunnerHost
  readonly #groups: GroupRegister
  readonly #scheduler = new Scheduler()

  constructor(host: RunnerHost, groups: GroupRegister) {
    this.#host = host
    this.#groups = groups
  }

  nextRun(scope: ScopeId, app: string): number | null {
    return this.#scheduler.nextRun(ownerName(scope, app))
  }

  /** Arms the schedule of a cron app; its instances are runs. */
  async schedule(scope: ScopeId, app: string, applied: AppliedApp): Promise<void> {
    const { schedule } = applied.spec
    if (schedule) await this.#scheduler.set(ownerName(scope, app), schedule, () => this.#fire(scope, app, applied))
  }

  /** No runs any more, until it is scheduled again. */
  unschedule(group: AppGroup): void {
    this.#scheduler.clear(group.owner)
  }

  /** Runs a job to its end. @returns null, or why it has not completed */
  async run(group: AppGroup, after: AppliedApp): Promise<Failure | null> {
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    const runner = group.add(0, after)
    runner.start()
    const verdict = await whenCompleted(runner)
    return verdict && { reason: `${group.app} ${verdict.reason}`, log: logTail(runner) }
  }

  #fire(scope: ScopeId, app: string, after: AppliedApp): void {
    const group = this.#groups.group(scope, app)
    const last = group.inSlot(0)
    const name = last?.instance.phase.name
    if (last && (name === 'starting' || name === 'running' || name === 'stopping')) {
      this.#host.record(
        scope,
        app,
        last.name,
        'scheduled run skipped: the previous one is still running',
        'run_skipped',
      )
      return
    }
    if (last) group.drop(last)
    const runner = group.add(0, after)
    this.#host.record(scope, app, runner.name, 'scheduled run started', 'run_started')
    runner.start()
  }
}
