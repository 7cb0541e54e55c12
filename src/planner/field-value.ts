import { showPerInstance } from '../model/instance-values.ts'
import type { FieldChange } from '../model/plan.ts'
import type { ReadyCheck } from '../model/spec.ts'
import { isMap } from './diff.ts'
import { formatDuration } from './duration.ts'
import { address, describeReadyCheck, quoteCommand } from './gate.ts'

/** A value as the file writes it: durations with a unit, all else as it is. */
export function jsonValue(path: string, value: unknown): unknown {
  if (isDuration(path) && typeof value === 'number') return formatDuration(value)
  return withPerInstance(path, value)
}

/** Variables and arguments may differ from instance to instance. */
function withPerInstance(path: string, value: unknown): unknown {
  if (path.startsWith('env.') && typeof value === 'string') return showPerInstance(value)
  return path === 'command' && Array.isArray(value) ? value.map((word) => showPerInstance(String(word))) : value
}

/** A value as a person reads it, on one line but neither escaped for a terminal nor shortened. */
export function textValue(path: string, value: unknown): string {
  if (value === null || value === undefined) return '(unset)'
  if (isDuration(path) && typeof value === 'number') return formatDuration(value)
  if (path === 'ready.check' && isReadyCheck(value)) return describeReadyCheck(value)
  if (path === 'schedule' && isMap(value)) {
    const zone = value['timezone']
    return `${JSON.stringify(value['cron'])}${typeof zone === 'string' ? ` ${zone}` : ''}`
  }
  if (Array.isArray(value)) return textList(path, value)
  return JSON.stringify(withPerInstance(path, value)) ?? '(unset)'
}

function textList(path: string, list: readonly unknown[]): string {
  if (list.length === 0) return '(none)'
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

function isDuration(path: string): boolean {
  return path.endsWith('Ms') && !path.startsWith('env.')
}

function isReadyCheck(value: unknown): value is ReadyCheck {
  return isMap(value) && typeof value['type'] === 'string'
}
