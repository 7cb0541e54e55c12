/** What `eco doctor` says. The ids and levels are a contract, only ever extended (docs/doctor.md). */

export type Level = 'ok' | 'warning' | 'error' | 'skipped'

/** In the order in which they are looked at and shown. */
export const AREAS = ['home', 'daemon', 'state', 'node', 'boot', 'cgroups', 'limits', 'ports', 'apps', 'logs'] as const
export type Area = (typeof AREAS)[number]

/** What `--fix` does: nothing but this, and only to files of ECO_HOME. */
export type Fix =
  | { readonly type: 'chmod'; readonly path: string; readonly mode: number }
  /** What a write left that was cut short. */
  | { readonly type: 'remove'; readonly path: string }

export interface Finding {
  /** `home.modes`: the area, and what was looked at in it. Several findings may share one. */
  readonly id: `${Area}.${string}`
  readonly level: Level
  /** One line: what is so, and what comes of it. */
  readonly message: string
  /** The single cases, a line each. */
  readonly details: readonly string[]
  /** The next command to type; null: there is nothing to do, or no command for it. */
  readonly remedy: string | null
  readonly fixes: readonly Fix[]
}

export type FindingId = Finding['id']

interface More {
  readonly details?: readonly string[]
  readonly fixes?: readonly Fix[]
}

export function ok(id: FindingId, message: string): Finding {
  return { id, level: 'ok', message, details: [], remedy: null, fixes: [] }
}

export function warning(id: FindingId, message: string, remedy: string | null, more: More = {}): Finding {
  return { id, level: 'warning', message, details: more.details ?? [], remedy, fixes: more.fixes ?? [] }
}

export function error(id: FindingId, message: string, remedy: string | null, more: More = {}): Finding {
  return { id, level: 'error', message, details: more.details ?? [], remedy, fixes: more.fixes ?? [] }
}

/** It does not apply here, or cannot be seen with the rights of this user. */
export function skipped(id: FindingId, message: string): Finding {
  return { id, level: 'skipped', message, details: [], remedy: null, fixes: [] }
}

export function areaOf({ id }: Finding): Area {
  return id.slice(0, id.indexOf('.')) as Area
}

/** The first of many, and how many more there are. */
export function fewOf(lines: readonly string[], most = 5): string[] {
  return lines.length <= most ? [...lines] : [...lines.slice(0, most), `and ${lines.length - most} more`]
}

/** `1 file`, `3 files` */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

/** A word of a command line, quoted where a shell would not take it as it is. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `12.3 GiB`: for reading, not for the file. */
export function bytes(amount: number): string {
  let unit = 0
  let value = amount
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}
