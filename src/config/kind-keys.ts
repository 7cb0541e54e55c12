import type { AppKind } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { entryAt, isNull } from './tree.ts'
import type { MapEntry, MapNode, TreeNode } from './tree.ts'

const SERVICE: readonly AppKind[] = ['service']
const JOB: readonly AppKind[] = ['job']
const CRON: readonly AppKind[] = ['cron']
const RUNS: readonly AppKind[] = ['job', 'cron']

/** Keys that not every kind of app can have. All others are for all kinds. */
const KEYS: ReadonlyArray<readonly [path: readonly [string, string?], kinds: readonly AppKind[]]> = [
  [['listen'], SERVICE],
  [['ready'], SERVICE],
  [['readiness'], SERVICE],
  [['health'], SERVICE],
  [['watch'], SERVICE],
  [['restart', 'policy'], SERVICE],
  [['restart', 'max'], SERVICE],
  [['restart', 'window'], SERVICE],
  [['restart', 'stop_exit_codes'], SERVICE],
  [['hooks', 'post_start'], SERVICE],
  [['retries'], RUNS],
  [['timeout'], RUNS],
  [['run'], JOB],
  [['inputs'], JOB],
  [['schedule'], CRON],
  [['timezone'], CRON],
  [['overlap'], CRON],
  [['missed'], CRON],
  [['history'], CRON],
]

/** Where a service has what a job has under this name. */
const FOR_SERVICES: Readonly<Record<string, string>> = {
  timeout: 'a service has ready.timeout and stop.timeout',
  retries: 'a service has restart.max',
}

/** Reports what an app cannot have by its kind. */
export function checkKind(app: AppNode, kind: AppKind, report: Report): void {
  for (const [[key, inner], kinds] of KEYS) {
    const outer = app.node.entries.get(key)
    if (!outer || kinds.includes(kind)) continue
    const path = inner === undefined ? [key] : [key, inner]
    const value = entryAt(app.node, path)?.value
    if (!value || isNull(value) || isOff(key, value)) continue
    const name = `${app.label}.${path.join('.')}`
    if (kinds !== SERVICE) {
      const message = `${name} is only for kind: ${kinds.join(' or ')}, but this is a ${kind}`
      report(app.keyAt(...path), message, kind === 'service' ? (FOR_SERVICES[key] ?? null) : null)
    } else {
      const hint = key === 'restart' ? 'retries says how often a failed run is tried again' : null
      report(app.keyAt(...path), `${name} is not for a ${kind}: it runs and ends`, hint)
    }
  }
  const { instances } = app.data
  if (kind !== 'service' && instances !== undefined && String(instances) !== '1') {
    report(app.at('instances'), `${app.label}.instances must be 1 for a ${kind}, but was ${JSON.stringify(instances)}`)
  }
}

/** `defaults` without what an app of this kind cannot have. */
export function fittingDefaults(defaults: MapNode, kind: string): MapNode {
  const entries = new Map(defaults.entries)
  for (const [[key, inner], kinds] of KEYS) {
    const entry = entries.get(key)
    if (!entry || kinds.some((one) => one === kind)) continue
    if (inner === undefined) entries.delete(key)
    else if (entry.value.kind === 'map') entries.set(key, without(entry, entry.value, inner))
  }
  if (kind !== 'service') entries.delete('instances')
  return { ...defaults, entries }
}

function without(entry: MapEntry, map: MapNode, key: string): MapEntry {
  if (!map.entries.has(key)) return entry
  return { ...entry, value: { ...map, entries: new Map([...map.entries].filter(([name]) => name !== key)) } }
}

/** `watch: false` asks for nothing. */
function isOff(key: string, value: TreeNode): boolean {
  return key === 'watch' && value.kind === 'scalar' && value.value === false
}
