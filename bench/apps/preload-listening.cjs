/** Notes how long it took from its start until it listened, and idles. Every eco variable is left to the preload. */
const server = require('node:http').createServer((_, response) => response.end('ok'))
server.listen(Number(process.env.PORT), '127.0.0.1', () => note())

function note() {
  const { MARK_DIR } = process.env
  require('node:fs').writeFileSync(`${MARK_DIR}/${process.pid}`, String(performance.now()))
}
