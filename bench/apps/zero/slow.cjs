/** (e) Takes 300 ms before it listens. */
setTimeout(require('./serve.cjs'), 300)
