/** A bad build: works for 3 s, then dies. */
require('./serve.cjs')()
setTimeout(() => {
  throw new Error('this build dies after 3 s')
}, 3000)
