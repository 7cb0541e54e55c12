import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ScopeId } from '../model/ids.ts'

/** Where everything of one eco lives: $ECO_HOME, or ~/.eco. */
export function ecoHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env['ECO_HOME'] || join(env['HOME'] || homeOfUser(), '.eco'))
}

/** A user that the machine does not know, as containers have them, has the one that Docker gives it. */
function homeOfUser(): string {
  try {
    return homedir()
  } catch {
    return '/'
  }
}

export function socketPath(home: string): string {
  return join(home, 'eco.sock')
}

export function daemonLogPath(home: string): string {
  return join(home, 'daemon.log')
}

/** What can be made again: compiled code, parsed files. */
export function cacheDir(home: string): string {
  return join(home, 'cache')
}

/** What eco knows about log files: their archives, and when what was written (logs/ledger.ts, logs/time-index.ts). */
export function logIndexDir(home: string): string {
  return join(home, 'log-index')
}

/** Output on its way to log files that eco writes itself (logs/spool.ts), and the socket of who writes them. */
export function spoolDir(home: string): string {
  return join(home, 'spool')
}

export function scribeSocketPath(home: string): string {
  return join(home, 'scribe.sock')
}

export function scopesDir(home: string): string {
  return join(home, 'scopes')
}

export function scopeDir(home: string, scope: ScopeId): string {
  return join(scopesDir(home), scope.project, scope.environment)
}
