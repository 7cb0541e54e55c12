/** An app of bench/apps/zero as a bare child process of the bench: the floor, and what the load client is held to. */

import { spawn } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'

/** The path of an app in bench/apps/zero. */
export function zeroApp(file) {
  return fileURLToPath(new URL(`../apps/zero/${file}`, import.meta.url))
}

/** Starts it and waits until its port takes connections. */
export async function startBare(scratch, file, { port, env = {} }) {
  const child = spawn(process.execPath, [zeroApp(file)], {
    env: scratch.env({ PORT: String(port), ...env }),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await untilListening(port)
  return {
    pid: child.pid,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', resolve)
        child.kill('SIGKILL')
      }),
  }
}

export async function untilListening(port, { timeout = 20_000 } = {}) {
  const deadline = performance.now() + timeout
  while (!(await accepts(port))) {
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port} after ${timeout} ms`)
    await pause(20)
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
