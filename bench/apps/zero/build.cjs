/** An app whose builds differ by BUILD: the name of another file here. Only the environment changes, as PM2 needs it. */
require(`./${process.env.BUILD}.cjs`)
