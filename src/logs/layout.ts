/**
 * Where log files are, and how their archives are called. A contract (docs/logs.md): other programs read these files.
 *
 *   ECO_HOME/scopes/PROJECT/ENVIRONMENT/logs/api-0.out.log                        grows
 *   ECO_HOME/scopes/PROJECT/ENVIRONMENT/logs/api-0.out.log.20260131T180405.123Z.gz
 */

import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { forSlot } from '../model/instance-values.ts'
import type { EpochMs, ScopeId } from '../model/ids.ts'
import type { Output, Rotation } from '../model/spec.ts'
import { logIndexDir, scopeDir } from '../state/paths.ts'

/** The files of one instance; the same twice when stderr is merged, null where an output is discarded. */
export interface LogPaths {
  readonly out: string | null
  readonly err: string | null
}

export function logPaths(home: string, scope: ScopeId, app: string, slot: number, output: Output): LogPaths {
  const path = (stream: 'out' | 'err'): string | null => {
    const target = output[stream]
    if (target === 'default') return join(scopeDir(home, scope), 'logs', `${app}-${slot}.${stream}.log`)
    if (target === 'merged') return path('out')
    return target === 'discard' ? null : forSlot(target, slot)
  }
  return { out: path('out'), err: path('err') }
}

/** Beside each other in one folder, whatever the log file's own folder is. @param suffix `json` or `idx` */
export function indexFile(home: string, path: string, suffix: 'json' | 'idx'): string {
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 12)
  return join(logIndexDir(home), `${basename(path).slice(0, 150)}.${digest}.${suffix}`)
}

const SUFFIX: Readonly<Record<Rotation['compress'], string>> = { none: '', gzip: '.gz', zstd: '.zst' }

/** The name of an archive, beside its log file. @param at when it was made: no two of a file have the same */
export function archiveName(path: string, at: EpochMs, compression: Rotation['compress']): string {
  const time = new Date(at).toISOString().replaceAll(/[-:]/g, '')
  return `${basename(path)}.${time}${SUFFIX[compression]}`
}
