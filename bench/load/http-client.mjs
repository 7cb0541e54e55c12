/**
 * One client: asks, waits for the whole answer, asks again. With `reuse` on one connection for as long as the server
 * keeps it, as a browser or a proxy's upstream pool does; without, on a new one each time.
 *
 * It is strict: a request that went out on a kept connection just as the server closed it has failed, though many
 * clients would send it once more. That is the race a drain has to win.
 */

import net from 'node:net'
import { readAnswer } from './answer.mjs'

const TIMEOUT_MS = 5000
/** After a failure, so that a dead port costs a hundred failures a second and not a hundred thousand. */
const PAUSE_MS = 10

/** @param {{ port: number, reuse: boolean, thinkMs: number, path?: string }} options */
export function createHttpClient(tally, { port, reuse, thinkMs, path = '/' }, onRequest) {
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${reuse ? '' : 'Connection: close\r\n'}\r\n`
  let socket = null
  let answers = 0 // on this connection
  let text = ''
  let sentAt = 0
  let busy = false
  let wanted = true
  let timer = null
  let onIdle = null

  function ask() {
    timer = null
    if (!wanted) return idle()
    busy = true
    text = ''
    sentAt = performance.now()
    if (socket === null) connect()
    socket.write(head, 'latin1')
  }

  function connect() {
    answers = 0
    tally.connections += 1
    const mine = net.connect({ port, host: '127.0.0.1', noDelay: true })
    socket = mine
    let connected = false
    mine.once('connect', () => (connected = true))
    mine.on('data', (chunk) => mine === socket && receive(chunk))
    // An idle connection that ends has failed nobody.
    mine.on('end', () => mine === socket && lost('ended'))
    mine.on('error', (error) => {
      if (mine === socket) lost(error.code ?? error.message, connected)
    })
    mine.on('close', () => mine === socket && lost('closed'))
  }

  function receive(chunk) {
    text += chunk.latin1Slice()
    // Nobody asked: what an answer left over, or a server that speaks first.
    if (!busy) return drop()
    const answer = readAnswer(text)
    if (answer === null) return
    if (answer.malformed !== undefined) return fail('malformed', answer.malformed)
    if (answer.rest !== '') return fail('malformed', 'more than one answer')
    if (answer.status !== 200) return fail(`status-${answer.status}`, answer.body.slice(0, 80))
    answers += 1
    busy = false
    tally.answer(sentAt, answer.body)
    if (answer.close || !reuse) drop()
    next(thinkMs)
  }

  function lost(reason, connected = true) {
    if (!busy) return drop()
    fail(kindOf(reason, connected, answers), `${reason}, ${text.length} bytes of an answer`)
  }

  function fail(kind, detail) {
    busy = false
    drop()
    tally.fail(kind, detail)
    next(PAUSE_MS)
  }

  function next(pauseMs) {
    onRequest()
    if (!wanted) idle()
    else if (pauseMs > 0) timer = setTimeout(ask, pauseMs)
    else ask()
  }

  function drop() {
    const mine = socket
    socket = null
    mine?.destroy()
  }

  function idle() {
    drop()
    onIdle?.()
  }

  return {
    start: ask,
    /** Called from time to time: one timer for all clients, since one for each request would cost more than the rest. */
    checkTime(now) {
      if (busy && now - sentAt > TIMEOUT_MS) fail('timeout', `no answer within ${TIMEOUT_MS} ms`)
    },
    /** The request under way is waited for. */
    stop() {
      wanted = false
      return new Promise((resolve) => {
        onIdle = resolve
        if (busy) return
        clearTimeout(timer)
        idle()
      })
    },
  }
}

function kindOf(reason, connected, answers) {
  if (reason === 'ECONNREFUSED') return 'refused'
  // The limits of this machine, not of the server: the run is worth nothing then.
  if (['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS'].includes(reason)) return 'client'
  if (!connected) return 'connect'
  return answers === 0 ? 'reset-fresh' : 'reset-reused'
}
