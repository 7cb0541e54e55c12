/** `eco logs rotate` and `eco logs flush`. */

import { EcoError } from '../errors.ts'
import type { LogKeeper } from '../logs/keeper.ts'
import { archivePath } from '../logs/by-address.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { Rotation } from '../model/spec.ts'
import type { Daemon } from './daemon.ts'
import type { FlushedLog, LogFile, RotatedLog, TreatedLog } from './protocol.ts'

export async function rotateLogs(daemon: Daemon, files: readonly LogFile[]): Promise<RotatedLog[]> {
  const logs = keeperOf(daemon)
  const results: RotatedLog[] = []
  for (const file of eachOnce(files)) {
    const result = await logs.rotate(file.path, policyOf(daemon, file))
    const none = { method: null, archive: null, bytes: 0 }
    if (result.type === 'rotated') {
      const { archive, method } = result
      const done = { method, archive: archivePath(file, archive), bytes: archive.end - archive.start }
      results.push({ ...treated(file, null), result: 'rotated', ...done })
    } else if (result.type === 'empty') {
      results.push({ ...treated(file, null), result: 'empty', ...none })
    } else {
      const reason = result.type === 'unfinished' ? 'none of its lines has ended yet' : result.why
      const how = result.type === 'failed' ? 'failed' : 'refused'
      results.push({ ...treated(file, reason), result: how, ...none })
    }
  }
  return results
}

export async function flushLogs(daemon: Daemon, files: readonly LogFile[]): Promise<FlushedLog[]> {
  const logs = keeperOf(daemon)
  const results: FlushedLog[] = []
  for (const file of eachOnce(files)) {
    try {
      const result = await logs.flush(file.path)
      const { bytes, archives } = result.type === 'flushed' ? result : { bytes: 0, archives: 0 }
      const reason = result.type === 'flushed' ? null : result.why
      results.push({ ...treated(file, reason), result: result.type, bytes, archives })
    } catch (error) {
      results.push({ ...treated(file, (error as Error).message), result: 'failed', bytes: 0, archives: 0 })
    }
  }
  return results
}

function keeperOf({ logs }: Daemon): LogKeeper {
  if (logs !== null) return logs
  throw new EcoError('GUARD', 'This is "eco run": its output goes to its own stdout and stderr, and stays in no log.')
}

function eachOnce(files: readonly LogFile[]): LogFile[] {
  return [...new Map(files.toReversed().map((file) => [file.path, file])).values()].reverse()
}

/** For a file that no run writes to. */
function policyOf(daemon: Daemon, { scope, app }: LogFile): Rotation {
  return daemon.keeper(scope).applied.apps[app]?.spec.rotation ?? SPEC_DEFAULTS.rotation
}

function treated({ scope, app, instance, stream, path }: LogFile, reason: string | null): TreatedLog {
  const { project, environment } = scope
  return { project, environment, app, instance, stream, path, reason }
}
