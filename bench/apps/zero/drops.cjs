/**
 * A server that drops one request in EVERY on purpose, in five ways in turn, to hold the load client to: what it did is
 * told on /dropped. A connection's first request is spared or not as it comes; `fresh` and `reused` tell which.
 */
const http = require('node:http')

const every = Number(process.env.EVERY ?? 200)
const WAYS = ['reset', 'end', 'half', 'status', 'silence']
const dropped = { fresh: 0, reused: 0, status: 0, silence: 0 }
let requests = 0
const seen = new WeakMap()

const server = http.createServer((request, response) => {
  if (request.url === '/dropped') return response.end(JSON.stringify(dropped))
  const { socket } = request
  const earlier = seen.get(socket) ?? 0
  seen.set(socket, earlier + 1)
  requests += 1
  if (requests % every !== 0) return response.end('1')
  const way = WAYS[(requests / every) % WAYS.length]
  if (way === 'status') {
    response.statusCode = 503
    response.end('busy')
  } else if (way === 'half') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  else if (way === 'end') socket.end()
  else if (way === 'reset') socket.resetAndDestroy()
  // The others must not wait for it, nor be many: each costs its client 5 s.
  dropped[way === 'status' || way === 'silence' ? way : earlier ? 'reused' : 'fresh'] += 1
})
server.listen(Number(process.env.PORT), '127.0.0.1')
