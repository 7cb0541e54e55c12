/** Which files there are to read. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { call } from '../../daemon/client.ts'
import { callOrStart } from '../../daemon/ensure.ts'
import type { LogFile, Selection } from '../../daemon/protocol.ts'
import { selectApps } from '../../daemon/selection.ts'
import { EcoError } from '../../errors.ts'
import { instanceName, type ScopeId, scopeName } from '../../model/ids.ts'
import { knownScopes } from '../../state/event-files.ts'
import { scopeDir } from '../../state/paths.ts'
import type { LogQuery } from './query.ts'

/** One file, and whose it is; instances may share one. */
export interface LogStream {
  readonly path: string
  readonly scope: ScopeId
  /** null: of several. */
  readonly app: string | null
  readonly instance: string | null
  /** Of all that write to it. */
  readonly instances: readonly string[]
  readonly stream: 'out' | 'err' | 'merged'
  readonly pid: number | null
}

const SILENCE_MS = 3000
const ASK_AGAIN_MS = 1500

/**
 * The daemon knows; where it does not answer, or the app is no more, the files themselves tell.
 *
 * @throws EcoError UNKNOWN_TARGET
 */
export async function findStreams(home: string, selection: Selection): Promise<LogStream[]> {
  try {
    const { files } = await callOrStart('logs', selection, { home, silenceMs: SILENCE_MS })
    return groupByFile(files)
  } catch (error) {
    if (!(error instanceof EcoError)) throw error
    if (error.code === 'UNKNOWN_TARGET') return filesLeft(home, selection, error)
    const files = WITHOUT_DAEMON.has(error.code) ? filesOnDisk(home) : []
    if (files.length === 0) throw error
    process.stderr.write(`${error.message}\n  hint: these are the log files that lie in ${home}; see "eco doctor"\n`)
    return groupByFile(selected(files, selection))
  }
}

/** Of apps that have been removed. @throws unknown when they have left none */
function filesLeft(home: string, selection: Selection, unknown: EcoError): LogStream[] {
  let files: LogFile[]
  try {
    files = selected(filesOnDisk(home), selection)
  } catch {
    throw unknown
  }
  if (files.length === 0) throw unknown
  process.stderr.write(`${unknown.message} These are the log files that were left behind.\n`)
  return groupByFile(files)
}

/** Asks the daemon once more, while somebody follows. null: it does not answer, or knows nothing of that name now. */
export async function findNewStreams(home: string, selection: Selection): Promise<LogStream[] | null> {
  try {
    return groupByFile((await call('logs', selection, { home, silenceMs: ASK_AGAIN_MS })).files)
  } catch (error) {
    if (error instanceof EcoError) return null
    throw error
  }
}

/** Whether it is the output that was asked for; what two outputs share is both. */
export function isMeant({ stream }: LogStream, { stream: asked }: Pick<LogQuery, 'stream'>): boolean {
  return asked === null || stream === 'merged' || stream === asked
}

const WITHOUT_DAEMON: ReadonlySet<string> = new Set(['DAEMON_UNREACHABLE', 'DAEMON_ENDED', 'STATE_UNWRITABLE'])

export function groupByFile(files: readonly LogFile[]): LogStream[] {
  const groups = new Map<string, LogFile[]>()
  for (const file of files) groups.set(file.path, [...(groups.get(file.path) ?? []), file])
  return [...groups].flatMap(([path, group]): LogStream[] => {
    const [file] = group
    if (file === undefined) return []
    const same = <K extends keyof LogFile>(key: K): LogFile[K] | null =>
      group.every((it) => it[key] === file[key]) ? file[key] : null
    const instances = [...new Set(group.map(({ instance }) => instance))]
    const { scope } = file
    const stream = same('stream') ?? 'merged'
    const pid = group.find((it) => it.pid !== null)?.pid ?? null
    return [{ path, scope, app: same('app'), instance: same('instance'), instances, stream, pid }]
  })
}

/** By the names of the files; those of an app that writes elsewhere are not found. */
function filesOnDisk(home: string): LogFile[] {
  return knownScopes(home).flatMap((scope) => {
    const folder = join(scopeDir(home, scope), 'logs')
    return list(folder).flatMap((name): LogFile[] => {
      const [, app, slot, stream] = /^(.+)-(\d+)\.(out|err)\.log$/.exec(name) ?? []
      if (app === undefined || (stream !== 'out' && stream !== 'err')) return []
      const instance = instanceName(app, Number(slot))
      return [{ app, instance, scope, stream, path: join(folder, name), pid: null, format: 'plain' }]
    })
  })
}

function selected(files: readonly LogFile[], selection: Selection): LogFile[] {
  const known = [...groupApps(files).values()].map((group) => ({
    scope: group[0].scope,
    app: group[0].app,
    slots: group.map(({ instance }) => Number(instance.slice(instance.lastIndexOf('#') + 1))),
  }))
  return selectApps(known, selection).flatMap(({ scope, app, slots }) =>
    files.filter(
      (file) =>
        scopeName(file.scope) === scopeName(scope) &&
        file.app === app &&
        (slots === null || slots.some((slot) => file.instance === instanceName(app, slot))),
    ),
  )
}

function groupApps(files: readonly LogFile[]): Map<string, [LogFile, ...LogFile[]]> {
  const apps = new Map<string, [LogFile, ...LogFile[]]>()
  for (const file of files) {
    const key = `${scopeName(file.scope)}/${file.app}`
    const group = apps.get(key)
    if (group) group.push(file)
    else apps.set(key, [file])
  }
  return apps
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
