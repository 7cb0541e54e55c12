import { realpathSync } from 'node:fs'

/** Names of Node that a package manager keeps when it replaces what is behind them. */
const KEPT = [
  '/usr/bin/node',
  '/usr/local/bin/node',
  '/opt/homebrew/bin/node',
  '/home/linuxbrew/.linuxbrew/bin/node',
  '/run/current-system/sw/bin/node',
]

/** A name for this Node that an upgrade leaves valid, where there is one. */
export function stableNode(execPath: string, resolve: (path: string) => string | null = resolved): string {
  return KEPT.find((path) => resolve(path) === execPath) ?? execPath
}

function resolved(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}
