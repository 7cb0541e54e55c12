import { removeFile } from '../state/atomic-file.ts'
import { socketPath } from '../state/paths.ts'
import { socketInode } from './claim.ts'
import type { Daemon } from './daemon.ts'
import type { OwnService } from './own-service.ts'

const SOCKET_CHECK_MS = 5000
/** The latest events are written before it ends, unless the disk takes longer than this. */
const FLUSH_MS = 1000

/** What is left when the daemon ends. */
export interface Remains {
  /** A successor that waits is told to go. */
  cancelSuccession(): void
  closeServer(): void
}

/** How the daemon comes to its end; its apps go on, unless it is told to stop them. */
export class Lifetime {
  readonly #daemon: Daemon
  readonly #service: OwnService | null
  readonly #remains: Remains
  readonly #inode: number | null
  #isStopping = false
  #isGoingDown = false

  constructor(daemon: Daemon, service: OwnService | null, remains: Remains) {
    this.#daemon = daemon
    this.#service = service
    this.#remains = remains
    this.#inode = socketInode(daemon.home)
  }

  /** Ends on signals, and when the control socket is taken away. */
  watch(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.#endService())
    // The machine goes down, as only the service that keeps us knows: it says so first, and then ends us like at any stop.
    if (this.#service) process.on('SIGUSR2', () => this.#goDown())
    process.on('SIGHUP', () => {}) // the terminal it was started from is closed
    setInterval(() => {
      if (this.#isSocketOurs()) return
      this.#remains.cancelSuccession()
      console.error(`${socketPath(this.#daemon.home)} is not this daemon's any more; it ends, the apps go on`)
      process.exit(0)
    }, SOCKET_CHECK_MS).unref()
  }

  stop(code: number): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#remains.cancelSuccession()
    const end = (): void => {
      this.#daemon.trees.close()
      if (this.#isSocketOurs()) removeFile(socketPath(this.#daemon.home))
      this.#remains.closeServer()
      process.exit(code)
    }
    this.#daemon.logAlarm?.stop()
    this.#daemon.tellScopes('daemon_stopped', `eco daemon ended, pid ${process.pid}`)
    // Still the one daemon while the last events are written: the next must not begin beside it.
    this.#daemon.logs?.stop()
    setTimeout(end, FLUSH_MS)
    void this.#daemon.flush().then(end)
  }

  async #endService(): Promise<void> {
    if (this.#isGoingDown) return this.#service?.extend()
    await this.#service?.stopping()
    this.stop(0)
  }

  #goDown(): void {
    if (this.#isGoingDown) return
    this.#isGoingDown = true
    void this.#service?.stopAll(() => this.#daemon.stopForShutdown()).then(() => this.stop(0))
  }

  #isSocketOurs(): boolean {
    return socketInode(this.#daemon.home) === this.#inode
  }
}
