/** (d) Says when it is ready, a little after it listens: caches to fill, as it were. */
const onListening = () => setTimeout(() => process.send?.('ready'), 50)
const server = require('./serve.cjs')({ onListening })
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close(() => process.exit(0)))
