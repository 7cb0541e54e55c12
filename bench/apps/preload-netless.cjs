/** Says when its first line runs, without loading net: console.log to a pipe would. */
require('node:fs').writeSync(1, `${process.hrtime.bigint()}\n`)
setInterval(() => {}, 2 ** 30)
