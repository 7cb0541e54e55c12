import { accessSync, constants, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

export interface NodeFacts {
  readonly version: string
  readonly path: string
  /** Why the optional package for datagrams cannot be loaded; null: it can. */
  readonly noDatagrams: string | null
  /** Programs that can take a socket out of another process, of those that are there. */
  readonly interpreters: readonly string[]
  /** kernel.yama.ptrace_scope; null: there is no such setting. */
  readonly ptraceScope: number | null
}

export function lookAtNode(): NodeFacts {
  return {
    version: process.versions.node,
    path: process.execPath,
    noDatagrams: whyNotLoaded('node-unix-socket'),
    interpreters: ['perl', 'python3'].filter(isInPath),
    ptraceScope: ptraceScope(),
  }
}

function whyNotLoaded(name: string): string | null {
  try {
    // Beside this installation of eco, where the daemon looks for it too.
    createRequire(realpathSync(process.argv[1] ?? ''))(name)
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? 'it cannot be loaded'
  }
}

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '/usr/bin:/bin').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function ptraceScope(): number | null {
  try {
    return Number(readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8'))
  } catch {
    return null
  }
}
