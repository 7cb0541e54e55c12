/** A bad build: works for a while, then dies. */
require('./serve.cjs')()
setTimeout(
  () => {
    throw new Error('this build dies after a while')
  },
  Number(process.env.DIES_AFTER_MS ?? 3000),
)
