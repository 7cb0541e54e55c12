/** (b) By the book: closes the server when it is asked to end, and goes when that is done. */
const server = require('./serve.cjs')()
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close(() => process.exit(0)))
