import type { AppSpec, JobPolicy } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'

/** How a job or cron app runs. */
export function buildJob(app: AppNode, report: Report): JobPolicy {
  const usual = SPEC_DEFAULTS.job
  return {
    retries: app.data.retries ?? usual.retries,
    run: app.data.run ?? usual.run,
    timeoutMs: readDuration(app, ['timeout'], usual.timeoutMs, report, { min: 1 }),
  }
}

/** Digests of the files that decide whether a job runs again. Only a job that names some has them read. */
export async function buildInputs(app: AppNode, cwd: string, report: Report): Promise<AppSpec['inputs']> {
  const patterns = app.data.inputs ?? []
  if (patterns.length === 0) return SPEC_DEFAULTS.inputs
  const { digestInputs } = await import('./input-files.ts')
  return digestInputs(cwd, patterns, (index, message, hint = null) => {
    report(app.at('inputs', index), `${app.label}.inputs[${index}] ${message}`, hint)
  })
}
