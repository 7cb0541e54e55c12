import { dirname } from 'node:path'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import { lossText } from '../logs/health.ts'
import { logPaths } from '../logs/layout.ts'
import type { EcoEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { Outputs } from '../supervisor/outputs.ts'
import { bytes } from './listing-text.ts'
import { type FullFolder, LogWatch, type WatchedLog } from './log-watch.ts'

interface RunnerLog extends WatchedLog {
  readonly runner: InstanceRunner
}

/** Says in the events of those concerned what becomes of their logs. */
export class LogAlarm {
  readonly #engine: LocalEngine
  readonly #home: string
  readonly #emit: (scope: ScopeId, event: EcoEvent) => void
  readonly #outputs: Outputs
  readonly #watch: LogWatch<RunnerLog>
  #timer: NodeJS.Timeout | undefined
  /** Logs of `Outputs.blocked` that were told of. */
  #told: Outputs['blocked'] = {}

  constructor(home: string, engine: LocalEngine, outputs: Outputs, emit: (scope: ScopeId, event: EcoEvent) => void) {
    this.#home = home
    this.#engine = engine
    this.#outputs = outputs
    this.#emit = emit
    this.#watch = new LogWatch(() => [...this.#logs()], {
      full: (folder) => this.#full(folder),
      roomy: (folder, { freeBytes, totalBytes }, seconds) => {
        const message = `there is room for logs in ${folder} again, ${bytes(freeBytes)}, after ${seconds}s; what was written there meanwhile may be lost`
        const data = { folder, free_bytes: freeBytes, total_bytes: totalBytes, seconds }
        this.#tell('logs_resumed', folder, message, data)
      },
      lost: ({ runner, path }, loss) => {
        const { scope, app } = runner.id
        const reload = `eco reload ${app} --project ${scope.project} --env ${scope.environment}`
        this.#tellOf(runner, 'log_lost', lossText(path, loss, reload), { reason: loss.type, path })
      },
    })
  }

  start(): void {
    this.#watch.start()
    this.#timer ??= setInterval(() => this.#lookAtBlocked(), LOOK_MS).unref()
  }

  stop(): void {
    this.#watch.stop()
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** What cannot be written now, a sentence each. */
  problems(): string[] {
    const full = this.#watch.full.map((folder) => `T${fullText(folder).slice(1)}.\n  hint: ${HINT}`)
    return [...full, ...Object.values(this.#outputs.blocked).map((why) => `An app waits for its log: ${why}.`)]
  }

  /** Told once each, and when it is over. */
  #lookAtBlocked(): void {
    const { blocked } = this.#outputs
    const told = this.#told
    if (blocked === told) return
    this.#told = blocked
    for (const { path, runner } of this.#logs()) {
      const why = blocked[path]
      if (why === told[path]) continue
      if (why === undefined) this.#tellOf(runner, 'note', `its log ${path} is written again`, {})
      else this.#tellOf(runner, 'log_lost', `${why}; ${KEPT}`, { reason: 'blocked', path })
    }
  }

  #tellOf(
    { id: { scope, app }, name }: InstanceRunner,
    event: 'log_lost' | 'note',
    message: string,
    data: Readonly<Record<string, string>>,
  ): void {
    const about = { scope: scopeName(scope), app, instance: name }
    this.#emit(scope, { type: 'instance', event, at: Date.now(), ...about, message, data })
  }

  #full(full: FullFolder): void {
    const { folder, freeBytes, totalBytes } = full
    const data = { folder, free_bytes: freeBytes, total_bytes: totalBytes }
    this.#tell('logs_full', folder, `${fullText(full)}; ${HINT}`, data)
  }

  #tell(
    event: 'logs_full' | 'logs_resumed',
    folder: string,
    message: string,
    data: Readonly<Record<string, string | number>>,
  ): void {
    const scopes = new Map<string, ScopeId>()
    for (const { path, runner } of this.#logs()) {
      if (dirname(path) === folder) scopes.set(scopeName(runner.id.scope), runner.id.scope)
    }
    console.error(message)
    for (const [scope, id] of scopes) this.#emit(id, { type: 'scope', event, at: Date.now(), scope, message, data })
  }

  *#logs(): Generator<RunnerLog> {
    const isRootHere = process.geteuid?.() === 0
    for (const { runners } of this.#engine.allGroups()) {
      for (const runner of runners) {
        const { process: running, id, spec } = runner
        if (running === null) continue
        const { out, err } = logPaths(this.#home, id.scope, id.app, id.slot, spec.output)
        const { user } = spec.attributes
        const isRoot = isRootHere && (user === null || user === 'root' || user === '0')
        const about = { runner, pid: running.pid, run: `${running.pid}:${running.startTime}`, isRoot }
        if (out !== null) yield { ...about, fd: 1, path: out }
        if (err !== null && err !== out) yield { ...about, fd: 2, path: err }
      }
    }
  }
}

const LOOK_MS = 1000
const KEPT = 'what it writes is kept, up to 256 MB, until that is mended'

/** What takes the room is not always logs. */
const HINT =
  'free space, or empty logs with "eco logs flush"; "eco doctor" says what takes it, logs.total_size limits them'

function fullText({ folder, freeBytes, totalBytes }: FullFolder): string {
  const room = freeBytes === 0 ? 'no room' : `only ${bytes(freeBytes)}`
  return `there is ${room} left for logs in ${folder} (${bytes(totalBytes)} in all): what apps write there is lost`
}
