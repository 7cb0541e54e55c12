/** The bench's side of the load client. */

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./load.mjs', import.meta.url))

/**
 * Starts it, and waits until it gets answers and all WebSockets are open.
 *
 * @param {{ port: number, keepAlive?: number, perRequest?: number, webSockets?: number, thinkMs?: number,
 *   maxSeconds?: number, maxRequests?: number }} options how many clients of each kind
 */
export async function startLoad(scratch, options, { readyWithin = 15_000 } = {}) {
  const child = fork(program, [JSON.stringify(options)], { env: scratch.env(), execArgv: [] })
  const waiting = { ready: [], counts: [], report: [] }
  let report = null
  let gone = null
  child.on('message', (message) => {
    if (message.report) report = message.report
    for (const [kind, value] of Object.entries(message))
      for (const settle of waiting[kind].splice(0)) settle.resolve(value)
  })
  child.on('exit', (code, signal) => {
    gone = new Error(`the load client ended with ${signal ?? code}`)
    for (const settle of Object.values(waiting).flat()) settle.reject(gone)
  })
  const answer = (kind) =>
    gone ? Promise.reject(gone) : new Promise((resolve, reject) => waiting[kind].push({ resolve, reject }))
  const order = (message) => child.connected && child.send(message)

  const timer = setTimeout(() => child.kill('SIGKILL'), readyWithin)
  try {
    await answer('ready')
  } catch {
    throw new Error(`the load client got no answers from port ${options.port} within ${readyWithin / 1000} s`)
  } finally {
    clearTimeout(timer)
  }
  return {
    /** A roll begins: WebSockets that are cut before `mustLiveMs` are over from now on have failed. */
    roll: (mustLiveMs) => order({ do: 'roll', mustLiveMs }),
    async counts() {
      order({ do: 'count' })
      return answer('counts')
    },
    /** Goes on until there were `atLeast` requests, then waits for those under way. */
    async finish(atLeast = 0) {
      if (report) return checked(report)
      order({ do: 'finish', atLeast })
      return checked(await answer('report'))
    },
    /** Ends it without a report, when it has not ended yet. */
    abort: () => gone ?? child.kill('SIGKILL'),
  }
}

/** A client that ran out of ports or files has measured itself. */
function checked(report) {
  if (report.failures.client) {
    throw new Error(`the load client ran into the machine's limits: ${JSON.stringify(report.samples)}`)
  }
  return report
}
