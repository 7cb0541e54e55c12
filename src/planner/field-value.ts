import { showPerInstance } from '../model/instance-values.ts'
import type { FieldChange } from '../model/plan.ts'
import type { ReadyCheck } from '../model/spec.ts'
import { isCheckPath, isMap } from './diff.ts'
import { formatDuration } from './duration.ts'
import { address, describeReadyCheck, quoteCommand } from './gate.ts'
import { formatSize } from './size.ts'

/** A value as the file writes it: durations and sizes with a unit, all else as it is. */
export function jsonValue(path: string, value: unknown): unknown {
  if (path === 'stop.message' && typeof value === 'string') return JSON.parse(value)
  return written(path, value) ?? withPerInstance(path, value)
}

/** A value as a person reads it, on one line but neither escaped for a terminal nor shortened. */
export function textValue(path: string, value: unknown): string {
  if (value === null || value === undefined) return '(unset)'
  if (path === 'stop.message' && typeof value === 'string') return value
  const text = written(path, value)
  if (text !== null) return text
  if (isCheckPath(path) && isReadyCheck(value)) return describeReadyCheck(value)
  if (isMap(value)) return textMap(path, value)
  if (Array.isArray(value)) return textList(path, value)
  return JSON.stringify(withPerInstance(path, value)) ?? '(unset)'
}

/** Numbers that the file writes with a unit or in another base; null: it is none of these. */
function written(path: string, value: unknown): string | null {
  if (typeof value !== 'number' || path.startsWith('env.')) return null
  if (path.endsWith('Ms')) return formatDuration(value)
  if (path.endsWith('Bytes') || SIZES.has(path)) return formatSize(value)
  if (path === 'restart.backoff.jitter') return `${Number((value * 100).toFixed(6))}%`
  return path === 'attributes.umask' ? value.toString(8).padStart(3, '0') : null
}

const SIZES = new Set(['core', 'fsize', 'stack', 'memlock'].map((name) => `attributes.rlimits.${name}`))

/** A group of settings that is there on one side only. */
function textMap(path: string, map: Readonly<Record<string, unknown>>): string {
  if (path === 'schedule') {
    const zone = map['timezone']
    return `${JSON.stringify(map['cron'])}${typeof zone === 'string' ? ` ${zone}` : ''}`
  }
  if (path === 'readiness' || path === 'health') {
    const [interval, timeout] = [map['intervalMs'], map['timeoutMs']].map((ms) => formatDuration(Number(ms)))
    return `${textValue(`${path}.check`, map['check'])} every ${interval} within ${timeout}, ${String(map['failures'])} failures`
  }
  if (path === 'watch') return textList('watch.paths', Array.isArray(map['paths']) ? map['paths'] : [])
  if (isHookPath(path) && Array.isArray(map['command'])) {
    return `${quoteCommand(map['command'].map(String))} within ${formatDuration(Number(map['timeoutMs']))}`
  }
  return JSON.stringify(map)
}

function isHookPath(path: string): boolean {
  return path.startsWith('hooks.') || path.startsWith('rollout.check')
}

/** Variables, arguments and log files may differ from instance to instance. */
function withPerInstance(path: string, value: unknown): unknown {
  if (/^(env|output)\./.test(path) && typeof value === 'string') return showPerInstance(value)
  return path === 'command' && Array.isArray(value) ? value.map((word) => showPerInstance(String(word))) : value
}

function textList(path: string, list: readonly unknown[]): string {
  if (list.length === 0) return '(none)'
  if (path === 'stop.exec' || (isHookPath(path) && path.endsWith('.command'))) return quoteCommand(list.map(String))
  if (path === 'command') return quoteCommand(list.map((word) => showPerInstance(String(word))))
  return list.map((item) => (path === 'listen' ? textListen(item) : JSON.stringify(item))).join(', ')
}

function textListen(listen: unknown): string {
  if (!isMap(listen)) return JSON.stringify(listen)
  const { path, host, port } = listen
  if (listen['type'] === 'unix' && typeof path === 'string') return path
  return typeof host === 'string' ? address(host, Number(port)) : String(port)
}

/** Where a secret comes from, with the first digits of its fingerprint: enough to see that it changed, of no use else. */
export function secretSides(field: FieldChange, fingerprints: boolean): readonly [before: string, after: string] {
  const side = (index: 0 | 1): string => {
    const source = field.sources?.[index] ?? null
    const digest = field.fingerprints?.[index] ?? null
    if (source === null) return '(unset)'
    if (digest === null) return '(plain, not shown)'
    return fingerprints ? `(secret ${source}) ${shortFingerprint(digest)}…` : `(secret ${source})`
  }
  const [before, after] = [side(0), side(1)]
  const sameSource = field.sources?.[0] === field.sources?.[1]
  const digest = field.fingerprints?.[1] ?? null
  if (!sameSource || digest === null) return [before, after]
  return [before, fingerprints ? `${shortFingerprint(digest)}…` : '(changed)']
}

export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, 4)
}

function isReadyCheck(value: unknown): value is ReadyCheck {
  return isMap(value) && typeof value['type'] === 'string'
}
