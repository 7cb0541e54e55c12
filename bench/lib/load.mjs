/**
 * The load client: a process of its own, so that neither the bench nor what it starts gets in its way. It is forked by
 * `startLoad` (load-control.mjs), gets its orders over IPC, and ends with its parent. Whatever happens it stops by
 * itself, after `maxSeconds` or `maxRequests`.
 *
 * orders:  { do: 'roll', mustLiveMs }      a roll begins now: how long after that WebSockets must live
 *          { do: 'count' }                 → { counts }
 *          { do: 'finish', atLeast }       stop once there were so many requests → { report }
 */

import { createHttpClient } from '../load/http-client.mjs'
import { createTally } from '../load/tally.mjs'
import { createWebSocketClient } from '../load/websocket-client.mjs'

const CHECK_MS = 100
const WARM_REQUESTS = 50

const options = JSON.parse(process.argv[2])
const { port, keepAlive = 0, perRequest = 0, webSockets = 0, thinkMs = 0 } = options
const { maxSeconds = 600, maxRequests = 5_000_000 } = options

const tally = createTally()
tally.websockets = { opened: 0, open: 0, closedInTime: 0, echoes: 0 }
const roll = { beganAt: null, mustLiveMs: 0 }
let target = Infinity
let stopping = false
let ready = false

const clients = [
  ...repeat(keepAlive, () => createHttpClient(tally, { port, reuse: true, thinkMs }, onRequest)),
  ...repeat(perRequest, () => createHttpClient(tally, { port, reuse: false, thinkMs }, onRequest)),
  ...repeat(webSockets, () => createWebSocketClient(tally, { port }, roll)),
]
for (const client of clients) client.start()

const deadline = performance.now() + maxSeconds * 1000
const enoughToStart = keepAlive || perRequest ? WARM_REQUESTS : 0
const check = setInterval(() => {
  const now = performance.now()
  for (const client of clients) client.checkTime(now)
  const warm = tally.answered >= enoughToStart && tally.websockets.open >= webSockets
  if (!ready && warm) tellReady()
  if (now > deadline) void finish(`${maxSeconds} s were over`)
  else if (tally.requests >= target) void finish('done')
}, CHECK_MS)

process.on('message', (order) => {
  if (order.do === 'roll') Object.assign(roll, { beganAt: performance.now(), mustLiveMs: order.mustLiveMs })
  if (order.do === 'count') process.send({ counts: tally.report() })
  if (order.do === 'finish') target = keepAlive || perRequest ? order.atLeast : 0
})
process.on('disconnect', () => process.exit())

function tellReady() {
  ready = true
  process.send({ ready })
}

function onRequest() {
  if (tally.requests >= maxRequests && !stopping) void finish(`${maxRequests} requests were made`)
}

async function finish(ended) {
  if (stopping) return
  stopping = true
  // A bound so low that it was reached first.
  if (!ready && tally.answered > 0) tellReady()
  const { websockets } = tally
  const stillOpen = websockets.open
  await Promise.all(clients.map((client) => client.stop()))
  clearInterval(check)
  const report = { ...tally.report(), websockets: { ...websockets, open: stillOpen }, ended }
  process.send({ report }, () => process.disconnect())
}

function repeat(count, create) {
  return Array.from({ length: count }, create)
}
