import { spawn } from 'node:child_process'

/** As many as Node asks for when an app does not say; the system allows no more than net.core.somaxconn. */
export const USUAL_BACKLOG = 511
/** Far longer than a start of Node takes. */
const LONGEST_MS = 10_000

/** It ends before its event loop has run once, and only that accepts. */
const CODE = `const s = require('net').createServer()
s.on('error', () => {})
s.listen({ fd: 3 }, Number(process.argv[1]))
process.exit(s.listening ? 0 : 1)`

/**
 * Calls listen(2) on a bound socket, without accepting: connections wait from then on. Node has no such call, its servers
 * accept as soon as they listen; so a process of its own does it, on the socket that they share: 35 to 70 ms.
 *
 * Over in any case: when it did not work the program is told by its own first accept(2).
 */
export function listenAhead(fd: number, backlog: number): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', CODE, String(backlog)], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      env: { ...process.env, NODE_OPTIONS: '' },
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    })
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
}
