/** Listening sockets that processes send, over a unix socket of ours. */

import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, lstatSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import type { BoundHandle } from '../bind-socket.ts'
import { removeSocket } from '../socket-folders.ts'

/** The type of a pipe that carries descriptors beside its bytes. */
const IPC = 2

interface PipeHandle {
  readonly fd: number
  /** What came with what was read last. */
  pendingHandle?: BoundHandle | null
  open(fd: number): number
}

export interface Receiver {
  readonly path: string
  close(): void
}

/**
 * Waits for processes of an instance, at a path that nobody else is told.
 *
 * @param folder of the instance's own sockets; whose it is may connect
 * @param received told each socket, and its path as the sender has it; '': none
 * @throws Error when it cannot be made
 */
export async function receiveSockets(
  folder: string,
  received: (handle: BoundHandle, path: string) => void,
): Promise<Receiver> {
  const path = join(dirname(folder), `g.${randomBytes(8).toString('hex')}`)
  // Paused, nothing is read from it by what Node makes of it.
  const server = new net.Server({ pauseOnConnect: true })
  server.on('connection', (socket) => readHandles(socket, received))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, exclusive: true }, () => resolve())
  })
  server.on('error', () => {})
  server.unref()
  // The folder is ours: nobody can have put anything else in this place.
  chmodSync(path, 0o600)
  const { uid } = lstatSync(folder)
  if (uid !== process.getuid?.()) chownSync(path, uid, -1)
  return {
    path,
    close: () => {
      server.close()
      removeSocket(path)
    },
  }
}

/**
 * What Node accepts cannot carry descriptors, so its descriptor is opened once more as what can. That one reads and closes
 * it; the first is left as it is, for good: it would close the same number again.
 */
function readHandles(accepted: net.Socket, received: (handle: BoundHandle, path: string) => void): void {
  accepted.unref()
  const handle = Reflect.get(accepted, '_handle') as PipeHandle
  const pipe = new (handle.constructor as new (type: number) => PipeHandle)(IPC)
  if (pipe.open(handle.fd) !== 0) return void accepted.destroy()
  const socket = new net.Socket({ handle: pipe } as net.SocketConstructorOpts)
  let rest = ''
  let given: BoundHandle | null = null
  socket.unref()
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('data', (text: string) => {
    given = pipe.pendingHandle ?? given
    pipe.pendingHandle = null
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (given !== null) received(given, line)
      given = null
    }
  })
  socket.on('end', () => socket.destroy())
  socket.on('close', () => given?.close())
}
