/**
 * How the daemon speaks with the Node processes of an instance, whichever daemon started them: each that has servers
 * listens on `c.PID[.THREAD]` in the folder of its instance (src/preload/control.ts). Lines to and fro.
 */

import { readdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { OPENED } from './probe-sockets.ts'

/** For a process that opens its sockets while it is asked, or waits for a CPU. */
const OPEN_MS = 2000
/** One that has not even begun by then does not run its event loop: there is no use in waiting longer. */
const ANSWER_MS = 3000

const NAME = /^c\.\d+(\.\d+)?$/

/** A conversation with one process. */
interface Conversation {
  say(line: string): void
  /** What was said is still heard. */
  end(): void
}

/**
 * Lets an instance accept on the addresses that it shares with others.
 *
 * @returns what is not as it should be, each a sentence: it opens later, or it cannot
 */
export async function openInstance(
  folder: string,
): Promise<{ readonly notes: string[]; readonly failure: string | null }> {
  try {
    writeFileSync(join(folder, OPENED), '', { flag: 'wx' }) // never through a link: the folder may be another user's
  } catch {
    // It is there, or nothing of the instance is left.
  }
  const answers = await Promise.all(controlPaths(folder).map(askToOpen))
  const failed = answers.find((answer) => answer?.startsWith('failed '))?.slice('failed '.length)
  return {
    notes: answers.includes('late') ? [`it has not begun to accept connections within ${OPEN_MS / 1000}s`] : [],
    failure: failed === undefined ? null : `it cannot listen: ${failed}`,
  }
}

/** @returns null: nobody is there; `late`: it will do it when it comes to it */
function askToOpen(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const finish = (answer: string | null): void => {
      clearTimeout(timer)
      conversation.end()
      resolve(answer)
    }
    const timer = setTimeout(() => finish('late'), OPEN_MS)
    const conversation = converse(path, { line: finish, gone: () => finish(null) })
    conversation.say('open')
  })
}

/**
 * Has the processes of an instance send the listening sockets they have.
 *
 * @param path of a unix socket where they are awaited
 * @param arrived resolves once as many are there as have been told
 * @returns when all are, or nobody answers any more
 */
export async function askForSockets(
  folder: string,
  path: string,
  longestMs: number,
  arrived: (told: () => number) => Promise<void>,
): Promise<void> {
  const paths = controlPaths(folder)
  if (paths.length === 0) return
  let sent = 0
  const conversations = paths.map((control) => {
    let end = (): void => {}
    const answered = new Promise<void>((resolve) => {
      const conversation = converse(control, {
        line: (line) => {
          sent += Number(line.slice('gave '.length))
          resolve()
        },
        gone: resolve,
      })
      end = () => conversation.end()
      conversation.say(`give ${path}`)
    })
    return { answered, end: () => end() }
  })
  const all = Promise.all(conversations.map(({ answered }) => answered)).then(() => arrived(() => sent))
  let timer: NodeJS.Timeout | undefined
  await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, longestMs)))])
  clearTimeout(timer)
  for (const { end } of conversations) end()
}

export interface DrainEvents {
  /** Connections that are still open. */
  left(connections: number): void
  /** Nothing is left, or whoever could tell does not answer. `silent`: the latter. */
  drained(silent: boolean): void
}

/** The drain of all processes of an instance. */
export interface InstanceDrain {
  /** What asks it to stop follows now. */
  release(): void
  /** Nothing is reported any more. */
  close(): void
}

/** @param signals by which it will be asked to stop: until then its processes do not end, whatever they have left to do */
export function drainInstance(folder: string, signals: readonly string[], events: DrainEvents): InstanceDrain {
  const known = new Map<string, Conversation>()
  const open = new Map<string, number>()
  let isClosed = false
  let wasSilent = false
  const settle = (path: string): void => {
    if (isClosed || !open.delete(path)) return
    // Processes that were started meanwhile, by a cluster say.
    if (open.size > 0) return tellLeft()
    begin()
  }
  const tellLeft = (): void => events.left([...open.values()].reduce((sum, left) => sum + left, 0))
  const begin = (): void => {
    const fresh = controlPaths(folder).filter((path) => !known.has(path))
    for (const path of fresh) open.set(path, 0)
    for (const path of fresh) known.set(path, ask(path))
    if (fresh.length === 0) events.drained(wasSilent)
  }
  const ask = (path: string): Conversation => {
    const timer = setTimeout(() => {
      wasSilent = true
      settle(path)
    }, ANSWER_MS)
    const conversation = converse(path, {
      line: (line) => {
        clearTimeout(timer)
        if (isClosed) return
        if (line === 'drained') return settle(path)
        open.set(path, Number(line.slice('left '.length)))
        tellLeft()
      },
      gone: () => {
        clearTimeout(timer)
        settle(path)
      },
    })
    conversation.say(['drain', ...signals].join(' '))
    return { ...conversation, end: () => (clearTimeout(timer), conversation.end()) }
  }
  setImmediate(() => isClosed || begin())
  return {
    release: () => {
      for (const conversation of known.values()) conversation.say('release')
    },
    close: () => {
      isClosed = true
      for (const conversation of known.values()) conversation.end()
    },
  }
}

function converse(path: string, heard: { line(line: string): void; gone(): void }): Conversation {
  const socket = net.connect(path)
  socket.setEncoding('utf8')
  socket.on('error', () => {}) // gone, or of a process that is: closed next
  let rest = ''
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) heard.line(line)
  })
  socket.on('close', () => heard.gone())
  return { say: (line) => void socket.write(`${line}\n`), end: () => void socket.end().unref() }
}

function controlPaths(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => NAME.test(name))
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}
