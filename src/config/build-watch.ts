import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Watch } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'

const DEBOUNCE_MS = 200

/** The files whose change restarts an app; null for none. */
export function buildWatch(app: AppNode, cwd: string, report: Report): Watch | null {
  const { watch } = app.data
  if (watch === undefined || watch === null || watch === false) return null
  const isList = Array.isArray(watch)
  const map = isList || watch === true ? {} : watch
  const written = isList ? watch : map.paths
  if (isList && watch.length === 0) report(app.at('watch'), `${app.label}.watch is empty`, 'watch: true watches cwd')
  const paths = (written ?? ['.']).map((file, index) => {
    const absolute = path.resolve(cwd, file)
    if (existsSync(absolute)) return absolute
    const at = isList ? ['watch', index] : ['watch', 'paths', index]
    const name = isList ? `watch[${index}]` : `watch.paths[${index}]`
    const hint = /[*?{]/.test(file)
      ? 'paths are files and folders; globs stand under ignore'
      : `it is relative to ${cwd}`
    report(app.at(...at), `${app.label}.${name} does not exist: ${absolute}`, hint)
    return absolute
  })
  return {
    paths: [...new Set(paths)].toSorted(),
    ignore: map.ignore ?? [],
    debounceMs: readDuration(app, ['watch', 'debounce'], DEBOUNCE_MS, report),
    action: map.action ?? 'restart',
  }
}
