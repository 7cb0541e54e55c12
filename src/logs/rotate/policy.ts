/** What the rotation of a file asks for. Pure. */

import type { EpochMs } from '../../model/ids.ts'
import type { Rotation } from '../../model/spec.ts'
import type { Archive, Ledger } from '../ledger.ts'

/** Of a file that several share, the strictest of each: whoever asked for less disk, or for no touch at all, gets it. */
export function strictest(policies: readonly Rotation[]): Rotation | null {
  const [first] = policies
  if (first === undefined) return null
  if (policies.length === 1) return first
  const has = <K extends keyof Rotation>(key: K, value: Rotation[K]): boolean =>
    policies.some((it) => it[key] === value)
  const least = (key: 'maxAgeMs' | 'keepForMs' | 'totalSizeBytes'): number | null => {
    const set = policies.flatMap((it) => it[key] ?? [])
    return set.length === 0 ? null : Math.min(...set)
  }
  return {
    method: has('method', 'off') ? 'off' : has('method', 'auto') ? 'auto' : 'copytruncate',
    maxSizeBytes: Math.min(...policies.map((it) => it.maxSizeBytes)),
    maxAgeMs: least('maxAgeMs'),
    keep: Math.min(...policies.map((it) => it.keep)),
    keepForMs: least('keepForMs'),
    totalSizeBytes: least('totalSizeBytes'),
    compress: has('compress', 'gzip') ? 'gzip' : has('compress', 'zstd') ? 'zstd' : 'none',
  }
}

/** Why it is time to rotate a file. null: it is not. */
export function dueReason(
  { size, filler }: Pick<Ledger, 'size' | 'filler'>,
  firstAt: EpochMs | null,
  { method, maxSizeBytes, maxAgeMs }: Rotation,
  now: EpochMs,
): 'size' | 'age' | null {
  if (method === 'off' || size <= filler) return null
  if (size - filler >= maxSizeBytes) return 'size'
  return maxAgeMs !== null && firstAt !== null && now - firstAt >= maxAgeMs ? 'age' : null
}

/** Archives that the policy has no place for, oldest first. @param liveBytes size of the file itself */
export function superfluous(
  archives: readonly Archive[],
  liveBytes: number,
  { keep, keepForMs, totalSizeBytes }: Rotation,
  now: EpochMs,
): Archive[] {
  let total = archives.reduce((sum, { bytes }) => sum + bytes, liveBytes)
  return archives.filter(({ bytes, lastAt }, index) => {
    const isTooMany = archives.length - index > keep
    const isTooOld = keepForMs !== null && now - lastAt > keepForMs
    const isTooMuch = totalSizeBytes !== null && total > totalSizeBytes
    if (!isTooMany && !isTooOld && !isTooMuch) return false
    total -= bytes
    return true
  })
}

/** It is looked at again before it is over its size. @param perMs bytes that it grows; null: not within a look's time */
export function nextLookMs(left: number, perMs: number, lookMs: number): number | null {
  if (perMs <= 0) return null
  const ms = left / perMs
  return ms >= lookMs ? null : Math.max(50, ms)
}
