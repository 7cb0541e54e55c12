import { constants } from 'node:os'
import type { AppKind, ExitStatus, RestartPolicy } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { closest } from '../model/closest.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'

/** What happens when an instance ends by itself. A job or cron app that ended has done its work. */
export function buildRestart(app: AppNode, kind: AppKind, report: Report): RestartPolicy {
  const usual = SPEC_DEFAULTS.restart
  const { restart } = app.data
  const policy = kind === 'service' ? 'always' : 'never'
  if (!restart) return { ...usual, policy }
  const backoff = restart.backoff ?? {}
  const pauses = {
    initialMs: readDuration(app, ['restart', 'backoff', 'initial'], usual.backoff.initialMs, report),
    factor: backoff.factor ?? usual.backoff.factor,
    maxMs: readDuration(app, ['restart', 'backoff', 'max'], usual.backoff.maxMs, report),
    jitter: backoff.jitter ? Number(backoff.jitter.slice(0, -1)) / 100 : usual.backoff.jitter,
  }
  return {
    policy: restart.policy ?? policy,
    max: restart.max ?? usual.max,
    windowMs: readDuration(app, ['restart', 'window'], usual.windowMs, report),
    backoff: pauses,
    successExitCodes: exitCodes(app, 'success_exit_codes', usual.successExitCodes, report),
    stopExitCodes: exitCodes(app, 'stop_exit_codes', usual.stopExitCodes, report),
  }
}

function exitCodes(
  app: AppNode,
  key: 'success_exit_codes' | 'stop_exit_codes',
  usual: readonly ExitStatus[],
  report: Report,
): readonly ExitStatus[] {
  const statuses: ExitStatus[] = []
  const written = app.data.restart?.[key]
  if (!written) return usual
  for (const [index, value] of written.entries()) {
    const status = exitStatus(value)
    if (status !== null) {
      if (!statuses.includes(status)) statuses.push(status)
      continue
    }
    const meant = closest(String(value), Object.keys(constants.signals))
    const message = `${app.label}.restart.${key}[${index}] must be an exit code from 0 to 255 or a signal like SIGTERM`
    const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
    report(app.at('restart', key, index), `${message}, but was ${JSON.stringify(value)}${suggestion}`)
  }
  return statuses
}

function exitStatus(value: number | string): ExitStatus | null {
  if (typeof value === 'string' && isSignal(value)) return value
  const code = Number(value)
  return Number.isInteger(code) && code >= 0 && code <= 255 ? code : null
}

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name)
}
