/** (a) As most apps are written: no signal handler. */
require('./serve.cjs')()
