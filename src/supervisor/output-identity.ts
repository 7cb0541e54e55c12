import { fstatSync } from 'node:fs'

/**
 * By which the preload knows that its stdout is a log file of eco's, and not what the app has redirected it to.
 *
 * @param fds of the log files
 * @returns ECO_OUTPUT: `dev:ino` of each; nothing where none of them is a file
 */
export function outputIdentity(fds: readonly number[]): { readonly ECO_OUTPUT?: string } {
  const files = fds.map((fd) => fstatSync(fd, { bigint: true })).filter((stat) => stat.isFile())
  return files.length === 0 ? {} : { ECO_OUTPUT: files.map(({ dev, ino }) => `${dev}:${ino}`).join(',') }
}
