/** A bad build: listens, and answers 500 to everything. */
require('./serve.cjs')({ status: 500 })
