/**
 * The server that all Node apps in this folder start: / answers with VERSION after WORK_MS, /healthz answers at once,
 * and an upgrade gets a WebSocket that echoes. It sets no header that another app would not.
 */
const http = require('node:http')
const { upgrade } = require('./websocket.cjs')

const { PORT, VERSION = '1', WORK_MS = '5' } = process.env

/** @param {{ status?: number, onListening?: () => void }} [options] */
module.exports = function serve({ status = 200, onListening } = {}) {
  const workMs = Number(WORK_MS)
  const answer = (response) => {
    response.statusCode = status
    response.end(VERSION)
  }
  const server = http.createServer((request, response) => {
    if (request.url === '/healthz' || workMs === 0) answer(response)
    else setTimeout(answer, workMs, response)
  })
  server.on('upgrade', upgrade)
  server.listen(Number(PORT), '127.0.0.1', onListening)
  return server
}
