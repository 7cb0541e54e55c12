import { pids, read } from './proc.mjs'

/** From the kill -9 of a process to the moment when /proc shows another one of its program. */
export async function respawnMs(victim, program) {
  const known = new Set(pids())
  const started = performance.now()
  process.kill(victim, 'SIGKILL')
  for (;;) {
    const fresh = pids().some((pid) => !known.has(pid) && read(pid, 'cmdline').startsWith(program))
    const ms = performance.now() - started
    if (fresh) return ms
    if (ms > 10_000) throw new Error(`no replacement of ${victim} within 10 s`)
    // Not a timer: those have steps of a millisecond.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
