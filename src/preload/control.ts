import { unlinkSync } from 'node:fs'
import net from 'node:net'
import type { Listen } from './listen.ts'

/** Who asks. */
export interface Asker {
  /** Sends a line in answer, while it is connected. */
  readonly tell: (line: string) => void
  /** Called when it is not any more. */
  readonly onEnd: (then: () => void) => void
}

/** What eco may ask of this process, by the first word of a line; the others are its arguments. */
export type Commands = Readonly<Record<string, (asker: Asker, args: readonly string[]) => void>>

/**
 * A unix socket, by which any daemon finds this process: in the folder of its instance, under its pid. Lines to and fro.
 * It keeps no event loop alive, and a process that ends without closing it leaves a file where nobody answers.
 *
 * @returns null: it cannot have one (its folder is gone, or Node's permission model forbids it)
 */
export function openControl(folder: string, listen: Listen, commands: Commands): net.Server | null {
  const path = `${folder}/c.${ownName()}`
  try {
    unlinkSync(path) // of a process that had this pid before
  } catch {
    // As usual.
  }
  const control = new net.Server()
  control.on('error', () => {})
  control.on('connection', (socket) => {
    socket.unref()
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    const asker: Asker = {
      tell: (line) => void (socket.writable && socket.write(`${line}\n`)),
      onEnd: (then) => void socket.once('close', then),
    }
    let rest = ''
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const [name = '', ...args] = line.split(' ')
        commands[name]?.(asker, args)
      }
    })
  })
  try {
    listen.call(control, { path, exclusive: true }) // exclusive: not shared with other workers of node:cluster
    control.unref()
  } catch {
    return null
  }
  return control.listening ? control : null
}

/** A worker thread runs this too, and has servers of its own. */
function ownName(): string {
  // Told by what a worker may not do: loading worker_threads costs every app 1 to 2 MB.
  if (!Object.hasOwn(Reflect.get(process, 'chdir') as object, 'disabled')) return String(process.pid)
  return `${process.pid}.${(require('node:worker_threads') as typeof import('node:worker_threads')).threadId}`
}
