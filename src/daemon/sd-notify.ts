/**
 * What a daemon tells the systemd that started it (sd_notify(3)). Node has no unix datagrams: an optional package sends
 * them, else the program systemd-notify, which is why the unit says NotifyAccess=all.
 */

import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'

const PACKAGE = 'node-unix-socket'
const SEND_MS = 3000

/** `READY=1`, `STATUS=…`: one assignment each. */
export type NotifyState = Readonly<Record<string, string | number>>

type Send = (message: string) => Promise<void>

export class SdNotify {
  /** null: no watchdog waits for us. */
  readonly watchdogMs: number | null
  readonly #env: Readonly<Record<string, string>>
  readonly #send: Send
  #last: Promise<void> = Promise.resolve()
  #hasFailed = false

  /**
   * Takes the variables of the protocol out of the environment, so that nothing else that is started here gets them.
   *
   * @param install a file of this installation of eco, beside which the package is
   * @returns null: nobody waits to be told
   */
  static open(env: NodeJS.ProcessEnv, install: string): SdNotify | null {
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
    if (!path) return null
    const isWatched = pid === undefined || Number(pid) === process.pid
    const watchdogMs = isWatched && Number(usec) > 0 ? Number(usec) / 1000 : null
    return new SdNotify(path, watchdogMs, install)
  }

  private constructor(path: string, watchdogMs: number | null, install: string) {
    this.watchdogMs = watchdogMs
    this.#env = {
      NOTIFY_SOCKET: path,
      ...(watchdogMs === null ? {} : { WATCHDOG_USEC: String(watchdogMs * 1000) }),
    }
    this.#send = bySocket(path, install) ?? byProgram(path)
  }

  /** In the order of the calls. It never fails: who cannot be told does without. */
  tell(state: NotifyState): Promise<void> {
    const message = Object.entries(state)
      .map(([name, value]) => `${name}=${String(value).replaceAll('\n', ' ')}`)
      .join('\n')
    const sent = this.#last.then(() => this.#send(message))
    this.#last = sent.catch((error: unknown) => {
      if (!this.#hasFailed) console.error(`systemd cannot be told ${message}: ${(error as Error).message}`)
      this.#hasFailed = true
    })
    return this.#last
  }

  /** For a daemon that takes the place of this one: it is watched whatever its pid is, once `handOver` has named it. */
  get successorEnvironment(): Readonly<Record<string, string>> {
    return this.#env
  }

  /** From now on that process is the unit's main process. It must live in the unit's cgroup. */
  handOver(pid: number): Promise<void> {
    return this.tell({ MAINPID: pid, WATCHDOG: 1 })
  }
}

interface DatagramSocket {
  sendTo(data: Buffer, offset: number, length: number, path: string, done: (error?: Error) => void): void
  on(event: 'error', listener: (error: Error) => void): void
}

/** null: the package is not there, does not run here, or cannot reach an abstract socket (`@…`). */
function bySocket(path: string, install: string): Send | null {
  if (!path.startsWith('/')) return null
  let socket: DatagramSocket
  try {
    const { DgramSocket } = createRequire(install)(PACKAGE) as { DgramSocket: new () => DatagramSocket }
    socket = new DgramSocket()
  } catch {
    return null
  }
  socket.on('error', (error) => console.error(`the notify socket failed: ${error.message}`))
  return (message) =>
    new Promise((resolve, reject) => {
      const data = Buffer.from(message)
      socket.sendTo(data, 0, data.length, path, (error) => (error ? reject(error) : resolve()))
    })
}

function byProgram(path: string): Send {
  return (message) =>
    new Promise((resolve, reject) => {
      const env = { ...process.env, NOTIFY_SOCKET: path }
      execFile('systemd-notify', message.split('\n'), { env, timeout: SEND_MS }, (error) => {
        if (error) reject(error)
        else resolve()
      })
    })
}
