/**
 * The smallest Node app: its first act is to note the moment it runs (the machine's monotonic clock, which the bench
 * reads too), when somebody asks for it; then it idles.
 */
const folder = process.env.MARK_DIR
if (folder) require('node:fs').writeFileSync(`${folder}/${process.pid}`, String(process.hrtime.bigint()))
setInterval(() => {}, 2 ** 30)
