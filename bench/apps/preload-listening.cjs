/** Says when it listens, on the machine's monotonic clock, and idles. */
const server = require('node:http').createServer((_, response) => response.end('ok'))
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () =>
  require('node:fs').writeSync(1, `${process.hrtime.bigint()}\n`),
)
