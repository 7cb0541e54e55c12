/** How many requests a second a port answers: by wrk where it is installed, else by the load client. */

import { setTimeout as pause } from 'node:timers/promises'
import { run } from './command.mjs'
import { startLoad } from './load-control.mjs'

const CONNECTIONS = 64

export async function hasWrk(scratch) {
  // It ends with 1 after telling its version.
  return run(['wrk', '--version'], { env: scratch.env(), allowFailure: true }).then(
    ({ stdout, stderr }) => (stdout + stderr).startsWith('wrk '),
    () => false,
  )
}

/** @param {{ port: number, keep: boolean, seconds: number, wrk: boolean }} options `keep`: connections are kept */
export async function requestsPerSecond(scratch, { port, keep, seconds, wrk }) {
  if (!wrk) return byLoadClient(scratch, { port, keep, seconds })
  const close = keep ? [] : ['--header', 'Connection: close']
  const size = ['--threads', '1', '--connections', String(CONNECTIONS), '--duration', `${seconds}s`]
  const { stdout } = await run(['wrk', ...size, ...close, `http://127.0.0.1:${port}/`], { env: scratch.env() })
  const failed = /^ *(Socket errors|Non-2xx).*/m.exec(stdout)?.[0].trim()
  if (failed) process.stderr.write(`  port ${port}: ${failed}\n`)
  return Number(/^Requests\/sec: +([\d.]+)/m.exec(stdout)[1])
}

async function byLoadClient(scratch, { port, keep, seconds }) {
  const load = await startLoad(scratch, { port, [keep ? 'keepAlive' : 'perRequest']: CONNECTIONS })
  const [from, started] = [(await load.counts()).answered, performance.now()]
  await pause(seconds * 1000)
  const answered = (await load.counts()).answered - from
  const perSecond = (answered * 1000) / (performance.now() - started)
  await load.finish()
  return perSecond
}
