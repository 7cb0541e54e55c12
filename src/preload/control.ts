import { unlinkSync } from 'node:fs'
import net from 'node:net'
import type { Listen } from './listen.ts'

/** What eco may ask of this process, by name; `tell` sends a line in answer, for as long as it is connected. */
export type Commands = Readonly<
  Record<string, (tell: (line: string) => void, ended: (then: () => void) => void) => void>
>

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
    const tell = (line: string): void => void (socket.writable && socket.write(`${line}\n`))
    let rest = ''
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) commands[line]?.(tell, (then) => socket.once('close', then))
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
  const { isMainThread, threadId } = require('node:worker_threads') as typeof import('node:worker_threads')
  return isMainThread ? String(process.pid) : `${process.pid}.${threadId}`
}
