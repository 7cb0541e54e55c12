import type { FieldChange } from '../model/plan.ts'
import type { AppSpec, EnvValue } from '../model/spec.ts'
import { FIELD_IMPACT } from '../model/impact.ts'
import type { Impact } from '../model/impact.ts'

/** The fields of a spec in the order they are reported; those without impact are never compared. */
const FIELDS = Object.keys(FIELD_IMPACT).filter(isCompared)

/** What a creation shows: what the app is, not the policies it is kept with. */
const IDENTITY: readonly (keyof AppSpec)[] = ['command', 'instances', 'listen', 'env', 'dependsOn', 'schedule']

const NO_CHANGE: readonly FieldChange[] = []

/**
 * Compares two specs field by field.
 *
 * Maps and objects are entered (`env.LOG_LEVEL`, `stop.timeoutMs`); arrays and tagged unions (a readiness check) are
 * compared as a whole. A secret is compared by fingerprint: it is sealed anew, and so differently, at every load.
 */
export function diffSpecs(before: AppSpec, after: AppSpec): readonly FieldChange[] {
  let changes: FieldChange[] | null = null
  for (const field of FIELDS) {
    if (isSame(before[field], after[field])) continue
    compare(field, before[field], after[field], FIELD_IMPACT[field], (changes ??= []))
  }
  return changes ?? NO_CHANGE
}

/** The fields shown for a new app; every one of them has no `before`. */
export function createdFields(spec: AppSpec): readonly FieldChange[] {
  const changes: FieldChange[] = []
  for (const field of IDENTITY) {
    if (field === 'instances' && spec.kind !== 'service') continue
    const value = spec[field]
    if (Array.isArray(value) && value.length === 0) continue
    const empty = isMap(value) && field !== 'schedule' ? {} : null
    if (!isSame(empty, value)) compare(field, empty, value, FIELD_IMPACT[field], changes)
  }
  return changes
}

/** True when nothing differs that has an impact. */
export function specsEqual(before: AppSpec, after: AppSpec): boolean {
  return FIELDS.every((field) => isSame(before[field], after[field]))
}

/** Precondition: the two differ. */
function compare(path: string, before: unknown, after: unknown, impact: Impact, changes: FieldChange[]): void {
  if (path.startsWith('env.')) {
    changes.push(compareEnv(path, envValue(before), envValue(after), impact))
    return
  }
  if (isCheckPath(path) || !isMap(before) || !isMap(after)) {
    const plain = { sensitive: false, fingerprints: null, sources: null }
    changes.push({ path, impact, before: before ?? null, after: after ?? null, ...plain })
    return
  }
  const keys = Object.keys(before)
  for (const key of Object.keys(after)) if (!Object.hasOwn(before, key)) keys.push(key)
  for (const key of keys.toSorted()) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined
    const now = Object.hasOwn(after, key) ? after[key] : undefined
    if (!isSame(old, now)) compare(`${path}.${key}`, old, now, impact, changes)
  }
}

function compareEnv(
  path: string,
  before: EnvValue | undefined,
  after: EnvValue | undefined,
  impact: Impact,
): FieldChange {
  // A plain value beside a secret is the secret itself, as a rule: neither side is shown.
  if (before?.type === 'secret' || after?.type === 'secret') {
    const fingerprints = [fingerprint(before), fingerprint(after)] as const
    const sources = [source(before), source(after)] as const
    return { path, impact, before: null, after: null, sensitive: true, fingerprints, sources }
  }
  const values = { before: before?.value ?? null, after: after?.value ?? null }
  return { path, impact, ...values, sensitive: false, fingerprints: null, sources: null }
}

function envValue(value: unknown): EnvValue | undefined {
  return isEnvValue(value) ? value : undefined
}

function isEnvValue(value: unknown): value is EnvValue {
  return isMap(value) && (value['type'] === 'plain' || value['type'] === 'secret')
}

function fingerprint(value: EnvValue | undefined): string | null {
  return value?.type === 'secret' ? value.fingerprint : null
}

function source(value: EnvValue | undefined): string | null {
  if (value === undefined) return null
  return value.type === 'secret' ? value.source : 'plain'
}

/** Deep equality of JSON values. Allocates nothing: nearly all apps of a scope are the same as before. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => isSame(value, b[index]))
  }
  if (!isMap(a) || !isMap(b)) return false
  if (a['type'] === 'secret' && b['type'] === 'secret') return a['fingerprint'] === b['fingerprint']
  let size = 0
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !isSame(a[key], b[key])) return false
    size++
  }
  for (const key in b) if (Object.hasOwn(b, key)) size--
  return size === 0
}

function isCompared(field: string): field is keyof AppSpec {
  return Object.hasOwn(FIELD_IMPACT, field) && (FIELD_IMPACT as Readonly<Record<string, Impact>>)[field] !== 'none'
}

/** Where a check stands: it is one thing, whatever is in it. */
export function isCheckPath(path: string): boolean {
  return path === 'ready.check' || path === 'readiness.check' || path === 'health.check'
}

/** A JSON object. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
