/**
 * A scratch folder with a private HOME, and the promise that nothing of it stays: every process the bench starts,
 * directly or through a daemon, has this HOME in its environment. By that mark it is found and ended, by its pid.
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { pids, read } from './proc.mjs'

const live = new Set()
process.on('exit', () => live.forEach((scratch) => scratch.remove()))
for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
  process.on(signal, () => process.exit(128 + number))
}

export function createScratch(name) {
  const folder = mkdtempSync(join(tmpdir(), `eco-bench-${name}-`))
  const home = join(folder, 'home')
  mkdirSync(home, { mode: 0o700 })
  const scratch = {
    folder,
    /** A bare environment: nothing of the caller's but PATH. */
    env: (extra = {}) => ({ PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', ...extra }),
    /** A new folder in it. */
    makeFolder(path) {
      mkdirSync(join(folder, path), { recursive: true, mode: 0o700 })
      return join(folder, path)
    },
    write(path, text) {
      writeFileSync(join(folder, path), text)
      return join(folder, path)
    },
    /** `sleep` under a path of its own, by which its processes are told from everybody else's. */
    sleepProgram() {
      const link = join(scratch.makeFolder('bin'), 'sleep')
      if (!existsSync(link)) symlinkSync(findOnPath('sleep'), link)
      return link
    },
    /** Whether the bench started this process here. */
    owns: (pid) => `\0${read(pid, 'environ')}`.includes(`\0HOME=${home}\0`),
    remove() {
      live.delete(scratch)
      killAll(scratch.owns)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    },
  }
  live.add(scratch)
  return scratch
}

/** SIGKILL, again until none is left: a daemon may have restarted an app in between. Synchronous, for use at exit. */
function killAll(matches) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const left = pids().filter((pid) => pid !== process.pid && matches(pid))
    if (left.length === 0) return
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // gone meanwhile
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  }
}

function findOnPath(program) {
  for (const folder of (process.env.PATH ?? '/usr/bin:/bin').split(delimiter)) {
    try {
      if (readdirSync(folder).includes(program)) return join(folder, program)
    } catch {
      // no such folder
    }
  }
  throw new Error(`${program} is not on PATH`)
}
