import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** O_CLOEXEC as Linux writes it in fdinfo, whatever the machine. */
const CLOEXEC = 0o2000000

/**
 * Closes what this process has inherited and was not meant to: the lock or the pipe of a deploy script that happened to
 * start the daemon, or a socket of an add-on of the daemon before. Every app would inherit it, too, and whoever waits for
 * the lock, or for the end of the pipe, would wait as long as they run.
 *
 * To be called before anything is opened. What Node opens is not inherited, and at its start it marks a row without a gap
 * from 0 on in the same way (that is how a successor gets its sockets): what has no mark is a stray.
 */
export function closeStrays(): void {
  let open: string[]
  try {
    open = readdirSync('/proc/self/fd')
  } catch {
    return // no /proc
  }
  for (const fd of open.map(Number).filter((one) => one > 2)) {
    try {
      if (!isMarked(fd)) closeSync(fd)
    } catch {
      // That of the listing.
    }
  }
}

function isMarked(fd: number): boolean {
  const [, flags] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
  return flags === undefined || (Number.parseInt(flags, 8) & CLOEXEC) !== 0
}
