/**
 * One WebSocket, kept open: says something every half second and waits for its echo, and opens anew when it was closed.
 * Upgrade and frames by hand, for short texts only.
 *
 * A connection may be cut when its server has drained for as long as it promised (`mustLiveMs`), and not before. From
 * outside that is: not sooner than that after the roll began, and never younger than that, since a server that drains
 * takes no new ones. Both count from before: from the roll's command, and from the connect.
 */

import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'

const TIMEOUT_MS = 5000
const SAY_MS = 500
const PAUSE_MS = 10
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** FIN, text, masked with zeros, which leaves the text as it is. */
const HELLO = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const ECHO = Buffer.from([0x81, 0x02, 0x68, 0x69])
const CLOSE = 0x88

/** @param {{ port: number }} options */
export function createWebSocketClient(tally, { port }, roll) {
  let socket = null
  let open = false
  let connectedAt = 0
  let waitingSince = null // for the upgrade or an echo
  let received = Buffer.alloc(0)
  let wanted = true
  let timer = null

  function connect() {
    timer = null
    const key = randomBytes(16).toString('base64')
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64')
    open = false
    received = Buffer.alloc(0)
    connectedAt = waitingSince = performance.now()
    tally.websockets.opened += 1
    const mine = net.connect({ port, host: '127.0.0.1', noDelay: true })
    socket = mine
    mine.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
    mine.on('data', (chunk) => mine === socket && receive(chunk, accept))
    mine.on('end', () => mine === socket && lost('ended'))
    mine.on('error', (error) => mine === socket && lost(error.code ?? error.message))
    mine.on('close', () => mine === socket && lost('closed'))
  }

  function receive(chunk, accept) {
    received = Buffer.concat([received, chunk])
    if (!open) {
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = received.toString('latin1', 0, end)
      if (!head.startsWith('HTTP/1.1 101')) return refused(`status-${head.slice(9, 12)}`, head.slice(0, 80))
      if (!head.includes(accept)) return refused('malformed', 'a wrong Sec-WebSocket-Accept')
      open = true
      waitingSince = null
      tally.websockets.open += 1
      received = received.subarray(end + 4)
      timer = setTimeout(say, SAY_MS)
    }
    while (received.length >= 2) {
      if (received[0] === CLOSE) return lost('a close frame')
      if (received.length < ECHO.length) return
      if (!received.subarray(0, ECHO.length).equals(ECHO)) return cut('ws-malformed', received.toString('hex'))
      received = received.subarray(ECHO.length)
      waitingSince = null
      tally.websockets.echoes += 1
    }
  }

  function say() {
    timer = setTimeout(say, SAY_MS)
    waitingSince ??= performance.now()
    socket.write(HELLO)
  }

  function lost(reason) {
    if (!open) return refused(reason === 'ECONNREFUSED' ? 'refused' : 'reset', reason)
    const now = performance.now()
    const life = now - connectedAt
    const sinceRoll = now - (roll.beganAt ?? Infinity)
    if (Math.min(life, sinceRoll) >= roll.mustLiveMs) {
      tally.websockets.closedInTime += 1
      return again(0)
    }
    const when = roll.beganAt === null ? 'no roll' : `${Math.round(sinceRoll)} ms after the roll began`
    cut('ws-cut-early', `${reason}: ${when}, ${Math.round(life)} ms old`)
  }

  function refused(kind, detail) {
    tally.note(`ws-${kind}`, detail)
    again(PAUSE_MS)
  }

  function cut(kind, detail) {
    tally.note(kind, detail)
    again(PAUSE_MS)
  }

  function again(pauseMs) {
    if (open) tally.websockets.open -= 1
    open = false
    waitingSince = null
    clearTimeout(timer)
    const mine = socket
    socket = null
    mine?.destroy()
    if (wanted) timer = setTimeout(connect, pauseMs)
  }

  return {
    start: connect,
    checkTime(now) {
      if (waitingSince === null || now - waitingSince <= TIMEOUT_MS) return
      if (open) cut('ws-silent', `no echo within ${TIMEOUT_MS} ms`)
      else refused('timeout', `no upgrade within ${TIMEOUT_MS} ms`)
    },
    stop() {
      wanted = false
      again(0)
      return Promise.resolve()
    },
  }
}
