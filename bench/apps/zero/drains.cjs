/** (c) Closes, and tells the clients of kept connections to go: as few apps do. */
const server = require('./serve.cjs')()
let ending = false
server.prependListener('request', (_, response) => {
  if (ending) response.setHeader('Connection', 'close')
})
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    ending = true
    server.close(() => process.exit(0))
  })
}
