import { isFull } from '../../logs/health.ts'
import type { Rotation } from '../../model/spec.ts'
import { selectorOf } from '../applied-apps.ts'
import { bytes, count, error, fewOf, type Finding, ok, warning, word } from '../finding.ts'
import type { LimitFacts } from '../look/limits.ts'
import type { LogFacts, LogFileFacts, LogFolderFacts } from '../look/logs.ts'
import { fileSystemName } from './file-system-name.ts'

const MUCH_LOG = 2 * 2 ** 30
/** Of a file that nobody of eco's rotates. */
const MUCH_UNROTATED = 2 ** 30
/** How much of a log is left when it is compressed: text takes a tenth, what is half compressed already some more. */
const COMPRESSED_SHARE = 0.2

type Inotify = Pick<LimitFacts, 'inotifyInstances' | 'inotifyWatches'>

/** @param inotify of the daemon's user, who is likely to read logs as well */
export function judgeLogs(facts: LogFacts, homeFreeBytes: number | null, inotify: Inotify): Finding[] {
  const { files, folders } = facts
  return [
    ...judgeClosed(facts),
    ...judgeSymlinks(files),
    ...judgeRemoved(facts),
    ...judgeRoom(folders),
    ...judgeMethods(folders, files),
    ...judgeUnrotated(files),
    ...judgeCaps(folders, files),
    ...judgePrograms(facts),
    ...judgeFollowing(files.length, inotify),
    judgeSize(facts, homeFreeBytes),
  ]
}

function judgeClosed({ closed }: LogFacts): Finding[] {
  const [first] = closed
  if (first === undefined) return []
  const text = `${first} cannot be written to: its app cannot start`
  return [error('apps.logs', text, `ls -ld ${word(first)}`, { details: fewOf(closed.slice(1)) })]
}

function judgeSymlinks(files: readonly LogFileFacts[]): Finding[] {
  return files.flatMap(({ path, symlink, app }) => {
    if (symlink === null) return []
    const text = `${path} is a symlink to ${symlink}, and eco writes through none: the next start of ${app.name} is refused`
    return [error('logs.symlink', text, `rm ${word(path)} && eco reload ${selectorOf(app)}`)]
  })
}

function judgeRemoved({ removed }: LogFacts): Finding[] {
  return removed.map(({ instance, selector, path }) => {
    const text = `${instance} writes to a log file that was removed, ${path}: what it says is gone when it ends, and its space is not freed before`
    return warning('apps.logs_removed', text, `eco restart ${selector}`)
  })
}

function judgeRoom(folders: readonly LogFolderFacts[]): Finding[] {
  const full = folders.filter(({ fileSystem }) => fileSystem !== null && isFull(fileSystem, false))
  return full.map(({ folder, fileSystem }) => {
    const text = `There is no room for logs in ${folder} (${bytes(fileSystem?.freeBytes ?? 0)} of ${bytes(fileSystem?.totalBytes ?? 0)}): what apps write there is lost`
    return error('logs.room', text, `du -xh ${word(folder)} | sort -h | tail`)
  })
}

/** One for each way in which it is done, with the folders. */
function judgeMethods(folders: readonly LogFolderFacts[], files: readonly LogFileFacts[]): Finding[] {
  const ways = new Map<string, string[]>()
  for (const { folder, fileSystem, method } of folders) {
    if (method === null) continue
    const how = method.method === 'collapse' ? 'without a pause' : 'while its writers are stopped for some milliseconds'
    const name = fileSystem === null ? 'its file system' : fileSystemName(fileSystem.type)
    const way = `${name}: logs are rotated ${how} (${method.method}: ${method.why})`
    ways.set(way, [...(ways.get(way) ?? []), folder])
  }
  const copied = files.filter(({ rotation }) => rotation.method === 'copytruncate')
  const lossy = copied.map(({ path, app }) => `${path} of ${app.name}`)
  return [
    ...[...ways].map(([way, at]) => ({ ...ok('logs.rotation', way), details: fewOf(at) })),
    ...(lossy.length === 0
      ? []
      : [
          warning(
            'logs.copytruncate',
            `${count(lossy.length, 'log file is', 'log files are')} rotated by copytruncate, as declared: what is written meanwhile is lost`,
            'eco explain logs.rotation',
            { details: fewOf(lossy) },
          ),
        ]),
  ]
}

function judgeUnrotated(files: readonly LogFileFacts[]): Finding[] {
  const huge = files.filter(({ rotation, bytes: size }) => rotation.method === 'off' && size > MUCH_UNROTATED)
  return huge.map(({ path, app, bytes: size }) => {
    const text = `${path} of ${app.name} has ${bytes(size)}, and its rotation is off: somebody else has to do it, and does not`
    return warning('logs.unrotated', text, 'eco explain logs.rotation')
  })
}

/** Whether the disks hold what the limits allow. */
function judgeCaps(folders: readonly LogFolderFacts[], files: readonly LogFileFacts[]): Finding[] {
  const limited = files.filter(({ rotation }) => rotation.method !== 'off')
  const deviceOf = new Map(folders.map(({ folder, device }) => [folder, device]))
  const findings = new Map<number, Finding>()
  for (const { device, fileSystem, folder } of folders) {
    if (device === null || fileSystem === null || findings.has(device)) continue
    const here = limited.filter(({ path }) => deviceOf.get(path.slice(0, path.lastIndexOf('/')) || '/') === device)
    const most = here.reduce((sum, { rotation }) => sum + mostBytes(rotation), 0)
    const growth = here.reduce((sum, it) => sum + Math.max(0, mostBytes(it.rotation) - it.bytes - it.archivedBytes), 0)
    const grown = `${count(here.length, 'log file')} can grow to ${bytes(most)} with what is kept of them, where ${folder} is`
    if (growth <= fileSystem.freeBytes || growth < 2 ** 20) {
      findings.set(device, ok('logs.limits', `${grown}; ${bytes(fileSystem.freeBytes)} are free there`))
      continue
    }
    const share = Math.max(2 ** 20, Math.floor((fileSystem.freeBytes * 0.8) / Math.max(1, here.length)))
    const text = `${grown}, and only ${bytes(fileSystem.freeBytes)} are free there: set logs.total_size to ${sizeKey(share)} or less, or max_size and keep lower`
    const details = fewOf([...new Set(here.map(({ app }) => app.name))])
    findings.set(device, warning('logs.limits', text, 'eco explain logs.total_size', { details }))
  }
  return [...findings.values()]
}

/** What a log file and its archives come to at most, about: archives are counted as compressed. */
export function mostBytes({ maxSizeBytes, keep, totalSizeBytes, compress }: Rotation): number {
  const most = maxSizeBytes + keep * maxSizeBytes * (compress === 'none' ? 1 : COMPRESSED_SHARE)
  return totalSizeBytes === null ? most : Math.min(most, totalSizeBytes)
}

/** As the file has it. */
function sizeKey(amount: number): string {
  return `${Math.floor(amount / 2 ** 20)}M`
}

function judgePrograms({ files, folders, hasZstd, untrimmed }: LogFacts): Finding[] {
  const findings: Finding[] = []
  const zstd = files.filter(({ rotation }) => rotation.compress === 'zstd' && rotation.method !== 'off')
  if (zstd.length > 0 && !hasZstd) {
    const text = 'Logs are to be compressed by zstd, and there is neither the program nor a Node.js that can (22.15)'
    const details = fewOf([...new Set(zstd.map(({ app }) => app.name))])
    findings.push(warning('logs.programs', text, 'eco explain logs.compress', { details }))
  }
  if (folders.some(({ method }) => method?.method === 'stopped-copy' && method.why.includes('fallocate'))) {
    const text = 'Without fallocate (util-linux, 2.30 or newer) logs are rotated while their writers stand still'
    findings.push(warning('logs.programs', text, 'fallocate --version'))
  }
  if (untrimmed !== null) {
    const text = `What apps with logs.format time or json write is kept a second time until they are restarted: ${untrimmed.why}`
    findings.push(warning('logs.spools', text, 'fallocate --version', { details: fewOf(untrimmed.apps) }))
  }
  return findings
}

/** `eco logs` watches each file that it follows, and looks at them again and again where it cannot. */
function judgeFollowing(files: number, { inotifyInstances: instances, inotifyWatches: watches }: Inotify): Finding[] {
  if (instances === null || watches === null || files === 0) return []
  const short =
    watches.used + files > watches.most
      ? { name: 'watches', least: Math.max(watches.most * 2, watches.used + files * 2), ...watches }
      : instances.used >= instances.most
        ? { name: 'instances', least: Math.max(instances.most * 2, 1024), ...instances }
        : null
  const what = `${count(files, 'log file')} of all apps`
  if (short === null) return [ok('logs.follow', `eco logs can watch the ${what}`)]
  const text = `eco logs cannot watch the ${what}: ${short.used} of ${short.most} inotify ${short.name} of this user are in use, so it looks again and again, which is slower`
  return [warning('logs.follow', text, `sudo sysctl fs.inotify.max_user_${short.name}=${short.least}`)]
}

function judgeSize({ bytes: total, largest, files }: LogFacts, freeBytes: number | null): Finding {
  if (largest === null || (total <= MUCH_LOG && (freeBytes === null || total <= freeBytes || total <= 2 ** 20))) {
    return ok('apps.logs', `logs have ${bytes(total)}`)
  }
  const owner = files.find(({ path }) => path === largest.path)?.app
  const text = `Logs have ${bytes(total)}, the largest ${bytes(largest.bytes)}: ${largest.path}`
  return owner === undefined
    ? warning(
        'apps.log_size',
        `${text}. It is a rotated one, or of an app that is no more`,
        `ls -l ${word(largest.path)}`,
      )
    : warning(
        'apps.log_size',
        `${text}. Flushed, what is in it is gone for good`,
        `eco logs flush ${selectorOf(owner)}`,
      )
}
