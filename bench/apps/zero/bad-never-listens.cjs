/** A bad build: runs and never listens. */
setInterval(() => {}, 1000)
