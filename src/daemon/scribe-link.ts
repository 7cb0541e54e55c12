import { spawn } from 'node:child_process'
import net from 'node:net'
import { type ScribeStatus, scribeIdentity } from '../logs/scribe-status.ts'
import { scribeSocketPath } from '../state/paths.ts'
import { isAlive } from '../supervisor/proc.ts'
import { VERSION } from '../version.ts'

const CONNECT_MS = 20
/** One that ends again and again must not keep the daemon busy. */
const RESTART_MS = 500
const ASK_MS = 3000
/** Questions in a row that a scribe which hangs leaves without an answer. */
const MOST_UNANSWERED = 3

/** The connection to the scribe, which is started when none answers, and replaced when it hangs. */
export class ScribeLink {
  readonly #home: string
  readonly #entry: string
  readonly #isNeeded: () => boolean
  #socket: net.Socket | null = null
  #reconnect: NodeJS.Timeout | undefined
  #asking: NodeJS.Timeout | undefined
  #unanswered = 0
  #startedAt = -RESTART_MS
  #isClosed = false
  /** Logs that it cannot write now, and why, by path. */
  blocked: ScribeStatus['blocked'] = {}

  /** @param entry absolute path of scribe.cjs @param isNeeded whether there is anything for it to do */
  constructor(home: string, entry: string, isNeeded: () => boolean) {
    this.#home = home
    this.#entry = entry
    this.#isNeeded = isNeeded
  }

  /** There is something new for it. */
  poke(): void {
    this.#asking ??= setInterval(() => this.#ask(), ASK_MS).unref()
    if (this.#socket !== null) this.#socket.write('look\n')
    else this.#connect()
  }

  /** The daemon ends; the scribe goes on. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#reconnect)
    clearInterval(this.#asking)
    this.#socket?.destroy()
  }

  #connect(): void {
    if (this.#isClosed) return
    const socket = net.connect(scribeSocketPath(this.#home))
    this.#socket = socket
    this.#unanswered = 0
    socket.unref()
    let said = ''
    socket.on('data', (chunk: Buffer) => {
      this.#unanswered = 0
      const lines = (said + chunk.toString()).split('\n')
      said = lines.pop() ?? ''
      for (const line of lines) this.#hear(line, socket)
    })
    socket.on('connect', () => socket.write('look\n'))
    socket.on('error', () => this.#start())
    socket.on('close', () => {
      this.#socket = null
      if (this.#isNeeded()) this.#connectSoon()
      else this.blocked = {}
    })
  }

  #hear(line: string, socket: net.Socket): void {
    const status = parsed(line)
    // One of another version is done at any byte, and ours goes on from there.
    if (status?.version !== VERSION) socket.write('quit\n')
    else this.blocked = status.blocked
  }

  /** Counts questions, not time: of a daemon that has stood still itself, nothing can be said. */
  #ask(): void {
    if (this.#socket === null) return
    if (++this.#unanswered > MOST_UNANSWERED) this.#replace()
    else this.#socket.write('look\n')
  }

  #replace(): void {
    this.#unanswered = 0
    const scribe = scribeIdentity(this.#home)
    if (scribe === null || !isAlive(scribe)) return
    console.error(`the scribe, pid ${scribe.pid}, does not answer and is killed; another one goes on`)
    try {
      process.kill(scribe.pid, 'SIGKILL')
    } catch (error) {
      console.error(`it cannot be killed: ${(error as Error).message}`)
    }
  }

  #connectSoon(): void {
    clearTimeout(this.#reconnect)
    this.#reconnect = setTimeout(() => {
      if (this.#socket === null) this.#connect()
    }, CONNECT_MS)
    this.#reconnect.unref()
  }

  /** None answers. */
  #start(): void {
    if (this.#isClosed || performance.now() - this.#startedAt < RESTART_MS) return
    this.#startedAt = performance.now()
    const child = spawn(process.execPath, ['--max-semi-space-size=1', this.#entry], {
      cwd: '/',
      env: { ECO_HOME: this.#home, PATH: process.env['PATH'], HOME: process.env['HOME'] },
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    child.on('error', (error) => console.error(`the scribe cannot be started: ${error.message}`))
    child.unref()
  }
}

/** null: not what our scribe says. */
function parsed(line: string): ScribeStatus | null {
  try {
    return JSON.parse(line) as ScribeStatus | null
  } catch {
    return null
  }
}
