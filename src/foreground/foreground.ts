import { appendFileSync } from 'node:fs'
import type net from 'node:net'
import { constants } from 'node:os'
import { format } from 'node:util'
import { claimSocket } from '../daemon/claim.ts'
import { Daemon } from '../daemon/daemon.ts'
import { Clients } from '../daemon/clients.ts'
import { createHandlers } from '../daemon/handlers.ts'
import type { ScopeKeeper } from '../daemon/scope-keeper.ts'
import { createServer } from '../daemon/server.ts'
import { logTail } from '../engine/local/log-tail.ts'
import { EcoError, EXIT } from '../errors.ts'
import type { EcoEvent, StepEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { DesiredState } from '../model/spec.ts'
import { daemonLogPath } from '../state/paths.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import { VERSION } from '../version.ts'
import { appsNow, isTriedAgain } from './apps-now.ts'
import { Captures } from './captures.ts'
import type { ForegroundRun, LineStyle, RunOptions } from './contract.ts'
import { Fifos } from './fifos.ts'
import { Guardian } from './guardian.ts'
import type { PrivateHome } from './home.ts'
import { ownOutlets } from './outlet.ts'
import { Report } from './report.ts'
import { actOf, takeSignals } from './signals.ts'
import { verdictOf } from './verdict.ts'

/** After SIGKILL to everything, and for a reader of our output that has stopped reading. */
const LAST_WAIT_MS = 3000
/** What others wait for may be about to start. */
const STUCK_MS = 1000
/** As a shell tells of a process that SIGKILL ended. */
const KILLED = 137

/** The supervisor in this very process: what it supervises ends with it. */
export class ForegroundSupervision implements ForegroundRun {
  readonly #home: PrivateHome
  readonly #options: RunOptions
  readonly #outlets = ownOutlets(() => this.#end(EXIT.ok, 'nobody reads the output any more'))
  readonly #report = new Report(this.#outlets.err)
  readonly #fifos: Fifos
  readonly #captures: Captures
  readonly #daemon: Daemon
  /** Of a container, the kernel ends all that is left. */
  readonly #guardian: Guardian | null
  readonly #ended: Promise<number>
  #tellEnd: (code: number) => void = () => {}
  /** The code that it will end with, and since when it ends; null: it goes on. */
  #ending: { readonly code: number; readonly since: number } | null = null
  #isKilled = false
  #isClosing = false
  /** Until all of the file has been applied once. */
  #isComingUp = true
  #desired: DesiredState | null = null
  #keeper: ScopeKeeper | null = null
  #server: net.Server | null = null
  #isLookScheduled = false
  /** Why steps were left out, by app. */
  readonly #skipped = new Map<string, string>()
  #stuck: NodeJS.Timeout | undefined

  constructor(home: PrivateHome, options: RunOptions, preload: string) {
    this.#home = home
    this.#options = options
    this.#ended = new Promise((resolve) => {
      this.#tellEnd = resolve
    })
    this.#fifos = new Fifos(home.path)
    this.#captures = new Captures(this.#fifos, this.#outlets)
    this.#daemon = new Daemon(home.path, preload, this.#captures)
    this.#report.printAs({ json: options.style === 'json', color: options.color.err, width: 3 })
    this.#guardian = options.isInit ? null : new Guardian(home.path)
    takeSignals((signal) => this.#onSignal(signal))
    process.on('uncaughtException', this.#onBug)
    process.on('unhandledRejection', this.#onBug)
    // What a daemon writes to its log.
    console.error = (...args: unknown[]) => {
      if (args.some((arg) => arg instanceof Error)) this.#report.say(format(...args))
      else appendFileSync(daemonLogPath(home.path), `${format(...args)}\n`, { mode: 0o600 })
    }
  }

  get home(): string {
    return this.#home.path
  }

  async carryOut(desired: DesiredState): Promise<number> {
    if (this.#ending !== null) return this.#ending.code
    this.#desired = desired
    this.#printAs(desired)
    await this.#fifos.ready
    await this.#daemon.boot(null)
    const handlers = createHandlers(this.#daemon, {
      version: VERSION,
      unit: null,
      shutdown: () => this.#end(EXIT.ok, 'eco daemon stop --apps'),
      upgrade: () => {
        throw new EcoError('GUARD', 'This is "eco run" and no daemon: it has no successor.', {
          hint: 'end it, and start it again with the eco that is wanted',
        })
      },
    })
    const shutdown: typeof handlers.shutdown = (params, emit, client) => {
      if (params.apps) return handlers.shutdown(params, emit, client)
      throw new EcoError('GUARD', 'This is "eco run" and no daemon: its apps would end with it.', {
        hint: 'eco daemon stop --apps ends both',
      })
    }
    const server = createServer(VERSION, { ...handlers, shutdown }, new Clients())
    this.#server = await claimSocket(this.#home.path, server)
    this.#daemon.events.listen((event) => this.#onEvent(event))
    const keeper = this.#daemon.keeper(desired.scope)
    this.#keeper = keeper
    await this.#bringUp(keeper, desired)
    const look = this.#home.isUsual ? 'eco ls' : `ECO_HOME=${this.home} eco ls`
    const count = Object.keys(desired.apps).length
    this.#report.say(
      `eco ${VERSION} runs ${scopeName(desired.scope)}, ${count} app${count === 1 ? '' : 's'}; "${look}" looks at it`,
    )
    return this.#ended
  }

  /** @returns once it has begun */
  async #bringUp(keeper: ScopeKeeper, desired: DesiredState): Promise<void> {
    const intent = { kind: 'apply', only: null, allowEmpty: true, takeOver: false } as const
    const { finished } = await keeper.begin({ intent, desired, expectedPlan: null, by: this.#options.by })
    finished.then(
      () => {
        const { apps } = keeper.applied
        this.#isComingUp = !Object.keys(desired.apps).every((app) => Object.hasOwn(apps, app))
        this.#lookSoon()
      },
      (error: unknown) => this.#onBug(error),
    )
  }

  /** An apply leaves out what waits for an app that it has given up. When that gets ready after all, its turn has come. */
  #goOn(): void {
    if (!this.#isComingUp || this.#ending !== null || !this.#keeper?.isIdle || this.#desired === null) return
    this.#bringUp(this.#keeper, this.#desired).catch((error: Error) => {
      this.#isComingUp = false // somebody applies something else
      this.#report.say(error.message)
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    process.off('uncaughtException', this.#onBug)
    process.off('unhandledRejection', this.#onBug)
    this.#server?.close()
    await this.#daemon.flush()
    this.#daemon.trees.close()
    this.#captures.finish()
    // A reader that has stopped reading does not keep us for ever.
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_WAIT_MS).unref())
    await Promise.race([Promise.all([this.#outlets.out.flushed(), this.#outlets.err.flushed()]), late])
    this.#home.remove()
    this.#guardian?.dismiss()
  }

  #printAs({ apps }: DesiredState): void {
    const names = Object.entries(apps).flatMap(([app, { instances, kind }]) =>
      Array.from({ length: kind === 'service' ? instances : 1 }, (_, slot) => `${app}#${slot}`),
    )
    const style: LineStyle = this.#options.style ?? (names.length > 1 ? 'prefix' : 'plain')
    const width = Math.max(3, ...(style === 'prefix' ? names.map(({ length }) => length) : []))
    const { color } = this.#options
    this.#captures.printAs({ style, color, width, apps: Object.keys(apps) })
    this.#report.printAs({ json: style === 'json', color: color.err, width })
  }

  #onEvent(event: EcoEvent): void {
    // Its output comes before what became of it.
    if (event.type === 'instance') this.#settle(event.instance)
    if (event.type === 'instance' && event.event === 'killed' && this.#ending !== null) this.#isKilled = true
    if (event.type === 'step' && event.status === 'skipped') this.#skipped.set(event.app, event.message ?? '')
    if (event.type === 'step' && event.status === 'failed' && this.#isComingUp) this.#onStartFailed(event)
    else if (this.#isTold(event)) this.#report.tell(event)
    if (event.type === 'instance' && event.event === 'ready') setImmediate(() => this.#goOn())
    this.#lookSoon()
  }

  /** Of the steps, those that an operator asked for; of the first apply, the instances say enough. */
  #isTold({ type }: EcoEvent): boolean {
    if (type === 'instance') return true
    return this.#ending === null && !this.#isComingUp
  }

  #settle(instance: string): void {
    const runner = this.#runners().find(({ name }) => name === instance)
    for (const { path } of runner?.logOffsets ?? []) this.#captures.settle(path)
  }

  #lookSoon(): void {
    if (this.#isLookScheduled) return
    this.#isLookScheduled = true
    setImmediate(() => {
      this.#isLookScheduled = false
      this.#guardian?.watch(new Set(this.#runners().flatMap(({ process: it }) => it?.pid ?? [])))
      this.#look()
    })
  }

  /** @param stuck apps that have waited in vain for a while */
  #look(stuck: readonly string[] = []): void {
    const { keepGoing } = this.#options
    clearTimeout(this.#stuck)
    if (this.#ending !== null || this.#keeper === null || this.#desired === null) return
    const { scope, applied, isIdle } = this.#keeper
    // A later rollout deals with what fails in it.
    if (!this.#isComingUp && !isIdle) return
    const apps = appsNow(this.#isComingUp ? this.#desired.apps : {}, applied.apps, this.#daemon.engine.groups(scope))
    const verdict = verdictOf(apps, keepGoing)
    if (verdict.type === 'goes-on') return
    if (verdict.type === 'stuck' && stuck.length > 0) return this.#endStuck(scope, verdict.waiting)
    if (verdict.type !== 'stuck' && verdict.failed.length > 0) return this.#fail(verdict.failed)
    if (!isIdle) return
    if (verdict.type !== 'stuck') return this.#end(EXIT.ok, 'all apps have ended')
    this.#stuck = setTimeout(() => this.#look(verdict.waiting), STUCK_MS)
  }

  /** Its step waits no longer. Whether that is the end of it depends on what becomes of its instances. */
  #onStartFailed({ app, message }: StepEvent): void {
    const why = message ?? 'it did not start'
    const runners = this.#runners().filter((runner) => runner.id.app === app)
    const open = runners.filter((runner) => !runner.observe().ready && !runner.hasSucceeded)
    if (runners.length > 0 && open.length === 0) return
    if (open.some(isTriedAgain)) return this.#report.say(`${why}; its restart policy goes on trying`, { app })
    const isWatched = (this.#desired?.apps[app]?.watch ?? null) !== null
    if (isWatched || this.#options.keepGoing) return this.#report.say(why, { app })
    const isOver = open.length > 0 && open.every(({ instance: { phase } }) => phase.name === 'failed')
    this.#fail(open.length > 0 ? open.map(({ name }) => name) : [app], isOver ? null : why)
  }

  #endStuck(scope: ScopeId, waiting: readonly string[]): void {
    for (const app of waiting) {
      const reason = this.#daemon.engine.waiting(scope, app)?.reason ?? this.#skipped.get(app) ?? 'it never could'
      this.#report.say(`${app} did not start: ${reason}`, { app })
    }
    this.#end(EXIT.needsPerson, 'nothing runs any more that these wait for')
  }

  /** @param why where the instances themselves do not say */
  #fail(names: readonly string[], why: string | null = null): void {
    if (this.#ending !== null) return
    if (why !== null) this.#report.say(why)
    for (const name of names) {
      const runner = this.#runners().find((it) => it.name === name)
      if (runner === undefined) continue
      const log = logTail(runner)
      const reason = why === null ? runner.observe().reason : null
      const last = log.length > 0 ? ['its last words:', ...log.map((line) => `  ${line}`)] : []
      this.#report.say(
        `${name} has failed for good${reason === null ? '' : `: ${reason}`}`,
        { app: runner.id.app, instance: name },
        last,
      )
    }
    this.#end(EXIT.needsPerson, `${names.join(', ')} failed`)
  }

  /** Stops all apps in order, and then comes the end. */
  #end(code: number, why: string): void {
    if (this.#ending !== null) return
    this.#ending = { code, since: performance.now() }
    const running = this.#daemon.liveInstances()
    this.#report.say(
      running === 0 ? `${why}; ending` : `${why}; stopping ${running} instance${running === 1 ? '' : 's'}`,
    )
    this.#daemon.stopApps().then(
      () => {
        const asked = this.#ending?.code ?? code
        this.#tellEnd(this.#isKilled && asked === EXIT.ok ? KILLED : asked)
      },
      (error: unknown) => {
        this.#report.say(format(error))
        this.#tellEnd(EXIT.internal)
      },
    )
  }

  #onSignal(signal: NodeJS.Signals): void {
    // Who is impatient must not have us leave our folder, nor end without the code that tells how.
    if (this.#isClosing) return
    const act = actOf(signal, this.#ending === null ? null : performance.now() - this.#ending.since)
    switch (act) {
      case 'stop':
        return this.#end(EXIT.ok, signal)
      case 'kill':
        return this.#killAll(signal)
      case 'forward':
        for (const { process: it } of this.#runners()) if (it !== null) sendTo(it.pid, signal)
        return
      case 'ignore':
        return
    }
  }

  #killAll(signal: NodeJS.Signals): void {
    this.#report.say(`${signal} again; killing what is left`)
    for (const runner of this.#runners()) if (runner.process !== null) runner.group?.signal('SIGKILL')
    const code = 128 + constants.signals[signal]
    this.#ending = { code, since: performance.now() }
    // Hooks may still run.
    setTimeout(() => this.#tellEnd(code), LAST_WAIT_MS)
  }

  readonly #onBug = (error: unknown): void => {
    this.#report.say(`eco failed unexpectedly; this is a bug in eco, please report it. ${format(error)}`)
    this.#end(EXIT.internal, 'internal error')
  }

  #runners(): InstanceRunner[] {
    return [...this.#daemon.engine.allGroups()].flatMap(({ runners }) => runners)
  }
}

function sendTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended just now.
  }
}
