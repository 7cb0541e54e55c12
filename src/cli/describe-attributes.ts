import { bytes } from '../daemon/listing-text.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { Limits, ProcessAttributes, RlimitName } from '../model/spec.ts'

/** `memory 512.0M, cpu 1.5`; empty: none. */
export function describeLimits({ memoryBytes, cpu }: Limits): string {
  return [
    ...(memoryBytes === null ? [] : [`memory ${bytes(memoryBytes)}`]),
    ...(cpu === null ? [] : [`cpu ${cpu}`]),
  ].join(', ')
}

/** `user www-data, umask 027, nofile 65536`: what is not as in the daemon itself. */
export function describeAttributes({ user, group, umask, nice, oomScoreAdj, rlimits }: ProcessAttributes): string {
  return [
    ...(user === null ? [] : [`user ${user}`]),
    ...(group === null ? [] : [`group ${group}`]),
    ...(umask === SPEC_DEFAULTS.attributes.umask ? [] : [`umask ${umask.toString(8).padStart(3, '0')}`]),
    ...(nice === null ? [] : [`nice ${nice}`]),
    ...(oomScoreAdj === null ? [] : [`oom_score_adj ${oomScoreAdj}`]),
    ...Object.entries(rlimits).map(([name, value]) => `${name} ${limitText(name as RlimitName, value)}`),
  ].join(', ')
}

function limitText(name: RlimitName, value: number | 'unlimited'): string {
  return value === 'unlimited' || name === 'nofile' || name === 'nproc' ? String(value) : bytes(value)
}
