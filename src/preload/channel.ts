import type { EventEmitter } from 'node:events'
import net from 'node:net'
import type { ListenHandle } from './node-internals.ts'

/** For a daemon that is stopped: the app gets its port from the system then. */
const ANSWER_MS = 3000

export interface Answer {
  readonly handle: ListenHandle
  /** By which the private socket of the port is named. */
  readonly index: number
}

/** The way to the daemon that started this process; it ends with that daemon. */
export interface Channel {
  readonly isOpen: boolean
  /** @param answered null: the daemon does not give it, or is not there */
  ask(port: number, host: string | null, answered: (answer: Answer | null) => void): void
}

interface ChannelHandle {
  /** What came with what was read last. */
  pendingHandle?: ListenHandle | null
  readStop(): unknown
}

interface Message {
  readonly cmd?: string
  readonly type?: string
  readonly msg?: { readonly id?: number; readonly index?: number }
  readonly id?: number
}

/** What Node gives a process that has a channel: this one is eco's, and an app that found it would wait for a parent. */
const TRACES = [
  'channel',
  '_channel',
  'send',
  '_send',
  'connected',
  'disconnect',
  '_disconnect',
  '_handleQueue',
  '_pendingMessage',
]

/** Listeners of Node's that keep the event loop alive while the app listens for messages. */
const KEEPERS = [
  ['newListener', 'onNewListener'],
  ['removeListener', 'onRemoveListener'],
] as const

/**
 * Takes Node's channel to the parent away from the app, which must not notice it: neither that it is there nor that it
 * ends. What Node does with it is replaced as a whole by lines of JSON on a socket, in the form that the daemon's Node
 * sends and expects.
 *
 * @returns null: the process has none
 */
export function takeChannel(): Channel | null {
  if (process.env['ECO_CHANNEL'] === undefined) return null
  delete process.env['ECO_CHANNEL'] // of what this process starts, the channel is not eco's
  const symbol = Object.getOwnPropertySymbols(process).find(({ description }) => description === 'kChannelHandle')
  if (symbol === undefined) return null
  const handle = Reflect.get(process, symbol) as ChannelHandle
  for (const trace of [...TRACES, symbol]) Reflect.deleteProperty(process, trace)
  const emitter: EventEmitter = process
  for (const [event, name] of KEEPERS) {
    for (const listener of emitter.listeners(event)) {
      if (listener.name === name) emitter.off(event, listener as () => void)
    }
  }
  emitter.removeAllListeners('internalMessage')
  return converse(handle)
}

function converse(handle: ChannelHandle): Channel {
  handle.readStop() // the socket begins again
  const socket = new net.Socket({ handle } as net.SocketConstructorOpts)
  const asked = new Map<number, (answer: Answer | null) => void>()
  let isOpen = true
  let last = 0
  let rest = ''
  let received: ListenHandle | null = null
  const answer = (id: number | undefined, what: Answer | null): void => {
    const answered = id === undefined ? undefined : asked.get(id)
    if (answered === undefined || id === undefined) return what?.handle.close() as undefined
    asked.delete(id)
    if (asked.size === 0) socket.unref()
    answered(what)
  }
  const closed = (): void => {
    isOpen = false
    for (const id of asked.keys()) answer(id, null)
  }
  const say = (message: object): void => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`))
  const heard = (line: string): void => {
    const message = JSON.parse(line) as Message
    if (message.cmd === 'NODE_ECO_LISTEN') return answer(message.id, null)
    if (message.cmd !== 'NODE_HANDLE') return
    const given = received
    received = null
    say({ cmd: 'NODE_HANDLE_ACK' })
    const { id, index = 0 } = message.msg ?? {}
    answer(id, given && { handle: given, index })
  }
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    received = handle.pendingHandle ?? received
    handle.pendingHandle = null
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') heard(line)
  })
  socket.on('error', () => {})
  socket.on('close', closed)
  socket.unref()
  return {
    get isOpen() {
      return isOpen
    },
    ask: (port, host, answered) => {
      if (!isOpen) return answered(null)
      const id = ++last
      const timer = setTimeout(() => answer(id, null), ANSWER_MS)
      asked.set(id, (what) => {
        clearTimeout(timer)
        answered(what)
      })
      socket.ref()
      say({ cmd: 'NODE_ECO_LISTEN', id, port, host })
    },
  }
}
