import { relative, sep } from 'node:path'
import { forSlot, isPerInstance, showPerInstance } from '../model/instance-values.ts'
import type { AppSpec } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'

interface Writer {
  readonly app: AppNode
  readonly spec: AppSpec
  readonly key: 'out' | 'err'
}

/**
 * Warns about log files of a file's own choice that are surely a mistake. That several apps write to one file is none, as
 * long as they agree on how it is written and rotated.
 */
export function checkLogConflicts(
  apps: readonly AppNode[],
  specs: Readonly<Record<string, AppSpec>>,
  warning: Report,
): void {
  const writers = new Map<string, Writer>()
  for (const app of apps) {
    const spec = specs[app.name]
    if (spec === undefined) continue
    for (const key of ['out', 'err'] as const) {
      const target = spec.output[key]
      if (!target.startsWith('/')) continue
      const writer = { app, spec, key }
      if (isWatched(target, spec)) {
        const hint = 'move it elsewhere, name it *.log, or add it to watch.ignore'
        warning(
          app.at('logs', key),
          `${app.label} restarts whenever it writes to ${showPerInstance(target)}, which it watches`,
          hint,
        )
      }
      const slots = isPerInstance(target) ? spec.instances : 1
      for (let slot = 0; slot < slots; slot++) {
        const path = forSlot(target, slot)
        const first = writers.get(path)
        const difference = first && whatDiffers(first.spec, spec)
        if (difference) tell(first, writer, path, difference, warning)
        if (first === undefined) writers.set(path, writer)
      }
    }
  }
}

function tell(first: Writer, second: Writer, path: string, difference: string, warning: Report): void {
  const message = `${first.app.label} and ${second.app.label} write to ${path} with different logs.${difference}`
  warning(
    second.app.at('logs', second.key),
    message,
    'one file is written and rotated in one way: give both the same logs',
  )
}

/** The key below logs; null: nothing. */
function whatDiffers(a: AppSpec, b: AppSpec): string | null {
  if (a.output.format !== b.output.format) return 'format'
  return JSON.stringify(a.rotation) === JSON.stringify(b.rotation) ? null : 'rotation or limits'
}

/** What eco ignores by itself, or may by a glob, counts as ignored. */
function isWatched(target: string, { watch }: AppSpec): boolean {
  if (watch === null || watch.ignore.length > 0 || target.endsWith('.log')) return false
  return watch.paths.some((root) => {
    const path = relative(root, target)
    return path !== '..' && !path.startsWith(`..${sep}`) && !path.split(sep).includes('logs')
  })
}
