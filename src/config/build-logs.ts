import { statSync } from 'node:fs'
import path from 'node:path'
import { withoutMarkers } from '../model/instance-values.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { LogTarget, Output, Rotation } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'
import { parseSize } from './size.ts'

/** Rotating costs a few milliseconds, and its methods work in blocks of the file system. */
const LEAST_SIZE = 64 * 2 ** 10
const LEAST_AGE_MS = 60_000
/** Of 255; an archive has the time and a suffix behind it. */
const LONGEST_NAME = 200
/** No timer counts how old files are. */
const OLDEST_MS = 100 * 366 * 86_400_000

/** Where stdout and stderr of an app go. */
export function buildOutput(app: AppNode, { folder, problems }: BuildContext): Output {
  const { logs } = app.data
  const out = target(app, 'out', folder, problems.error)
  const err = target(app, 'err', folder, problems.error)
  if (logs?.merge === true && logs.err) {
    problems.error(
      app.at('logs', 'err'),
      `${app.label}.logs has both err and merge`,
      'merge sends stderr where out goes',
    )
  }
  const isOneFile = out.startsWith('/') && out === err
  return { out, err: logs?.merge === true || isOneFile ? 'merged' : err, format: logs?.format ?? 'plain' }
}

function target(app: AppNode, key: 'out' | 'err', folder: string, report: Report): LogTarget {
  const written = app.data.logs?.[key]
  if (written === undefined || written === null) return 'default'
  if (written === 'none' || written === '/dev/null') return 'discard'
  const at = app.at('logs', key)
  const where = `${app.label}.logs.${key}`
  const full = path.resolve(folder, written)
  if (withoutMarkers(written).includes('\0')) report(at, `${where} holds a NUL byte`)
  else if (/^~[^/]*\//.test(written))
    report(at, `${where} begins with ~, which means nothing here: write the whole path`)
  else if (written.endsWith('/') || isFolder(full)) {
    const example = path.join(written, `${app.name}.log`)
    report(at, `${where} must be a file, but ${JSON.stringify(written)} is a folder`, `name a file in it: ${example}`)
  }
  if (Buffer.byteLength(path.basename(full)) > LONGEST_NAME) {
    report(at, `${where} has a name of more than ${LONGEST_NAME} bytes: those of its rotated files would be too long`)
  }
  return full as LogTarget
}

/** With ${instance} in it, it is not known yet what it will be. */
function isFolder(full: string): boolean {
  return !full.includes('\0') && (statSync(full, { throwIfNoEntry: false })?.isDirectory() ?? false)
}

/** When the log files of an app are rotated, and what is kept. */
export function buildRotation(app: AppNode, report: Report): Rotation {
  const { logs } = app.data
  const usual = SPEC_DEFAULTS.rotation
  if (!logs) return usual
  const maxSizeBytes = size(app, 'max_size', LEAST_SIZE, report) ?? usual.maxSizeBytes
  return {
    method: logs.rotation ?? usual.method,
    maxSizeBytes,
    maxAgeMs: readDuration(app, ['logs', 'max_age'], usual.maxAgeMs, report, { min: LEAST_AGE_MS, max: OLDEST_MS }),
    keep: logs.keep ?? usual.keep,
    keepForMs: readDuration(app, ['logs', 'keep_for'], usual.keepForMs, report, { min: 1, max: OLDEST_MS }),
    totalSizeBytes: size(app, 'total_size', maxSizeBytes, report),
    compress: compression(logs.compress) ?? usual.compress,
  }
}

function size(app: AppNode, key: 'max_size' | 'total_size', least: number, report: Report): number | null {
  const written = app.data.logs?.[key]
  if (!written) return null
  const bytes = parseSize(written)
  if (bytes !== null && bytes >= least) return bytes
  const limit =
    bytes === null
      ? 'is more than eco can count'
      : key === 'total_size'
        ? `must be at least max_size, which is ${app.data.logs?.max_size ?? '20M by default'}`
        : 'must be at least 64K'
  report(app.at('logs', key), `${app.label}.logs.${key} ${limit}, but was ${JSON.stringify(written)}`)
  return null
}

function compression(written: NonNullable<AppNode['data']['logs']>['compress']): Rotation['compress'] | null {
  if (typeof written === 'boolean') return written ? 'gzip' : 'none'
  return written ?? null
}
