import type { AppSpec } from './spec.ts'

/** What a change does to running instances, mildest first. */
export const IMPACTS = ['none', 'live', 'scale', 'roll', 'restart', 'destroy'] as const
export type Impact = (typeof IMPACTS)[number]

/**
 * The impact of each field of a spec: one table for the planner, the schema's `x-impact`, `eco explain` and the docs
 * (a test holds them together). A field added to AppSpec does not compile until it stands here.
 */
export const FIELD_IMPACT: Readonly<Record<keyof AppSpec, Impact>> = {
  kind: 'restart',
  command: 'roll',
  cwd: 'roll',
  instances: 'scale',
  listen: 'roll',
  env: 'roll',
  ambient: 'none',
  ready: 'live',
  readiness: 'live',
  health: 'live',
  stop: 'live',
  restart: 'live',
  hooks: 'live',
  limits: 'live',
  attributes: 'roll',
  output: 'roll',
  rotation: 'live',
  rollout: 'live',
  dependsOn: 'live',
  restartsWith: 'live',
  job: 'live',
  inputs: 'roll',
  schedule: 'live',
  watch: 'live',
}

/** The worst of several impacts; `none` of nothing. */
export function worstImpact(impacts: Iterable<Impact>): Impact {
  let worst = 0
  for (const impact of impacts) worst = Math.max(worst, IMPACTS.indexOf(impact))
  return IMPACTS[worst] ?? 'none'
}
