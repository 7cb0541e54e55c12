/** The floor: WORKERS of node:cluster that share one socket themselves, without a primary in the way of connections. */
const cluster = require('node:cluster')

cluster.schedulingPolicy = cluster.SCHED_NONE
if (cluster.isPrimary) for (let i = 0; i < Number(process.env.WORKERS); i += 1) cluster.fork()
else require('./plain.cjs')
