/** What the daemon says to a process, said by a test. */

import { readdirSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventually } from '../support/eventually.ts'

export interface Control {
  say(line: string): void
  /** The next line it answers. */
  answer(): Promise<string>
  /** Reads until that answer. @returns those before it */
  until(line: string): Promise<string[]>
  end(): void
}

/** The control sockets in a folder, once there are as many. */
export function controlPaths(folder: string, count: number): Promise<string[]> {
  return eventually(() => {
    const names = readdirSync(folder).filter((name) => name.startsWith('c.'))
    if (names.length !== count) throw new Error(`${names.length} control sockets`)
    return names.map((name) => join(folder, name))
  })
}

export async function control(folder: string): Promise<Control> {
  const [path = ''] = await controlPaths(folder, 1)
  return connectTo(path)
}

export async function connectTo(path: string): Promise<Control> {
  const socket = net.connect(path)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', () => {})
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const next = await lines.next()
    if (next.done) throw new Error('it ended before it answered')
    return next.value
  }
  return {
    say: (line) => void socket.write(`${line}\n`),
    answer,
    until: async (line) => {
      const before: string[] = []
      for (let next = await answer(); next !== line; next = await answer()) before.push(next)
      return before
    },
    end: () => socket.destroy(),
  }
}
