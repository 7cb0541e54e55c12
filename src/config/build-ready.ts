import type { Listen, Ready, ReadyCheck } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import { buildCheck } from './build-check.ts'
import type { CheckContext, CheckName, ReadyMap } from './build-check.ts'
import { listenEndpoint } from './endpoint.ts'
import { readDuration } from './read-duration.ts'

const CHECKS: readonly CheckName[] = ['signal', 'notify', 'http', 'tcp', 'log', 'exec', 'delay']
const OPTIONS = ['timeout', 'interval', 'attempt_timeout'] as const

/** When an instance counts as ready. Without a check of its own: its first tcp address accepts, else it has settled. */
export function buildReady(app: AppNode, context: CheckContext): Ready {
  const { ready } = app.data
  const { listen, report } = context
  const usual = SPEC_DEFAULTS.ready
  if (!ready) return { ...usual, check: defaultCheck(listen) }
  const map: ReadyMap = typeof ready === 'string' ? { [ready]: true } : ready
  const check = buildCheck(app, 'ready', map, CHECKS, context)
  // timeout and interval alone are fine: they go with the default check.
  if (check === null && ![...CHECKS, ...OPTIONS].some((key) => map[key] !== undefined)) {
    report(app.at('ready'), `${app.label}.ready is empty`, `give one of ${CHECKS.join(', ')}`)
  }
  if (check?.type === 'delay') readDuration(app, ['ready', 'delay'], null, report)
  return {
    check: check ?? defaultCheck(listen),
    timeoutMs: readDuration(app, ['ready', 'timeout'], usual.timeoutMs, report),
    intervalMs: readDuration(app, ['ready', 'interval'], usual.intervalMs, report),
    attemptTimeoutMs: readDuration(app, ['ready', 'attempt_timeout'], usual.attemptTimeoutMs, report, { min: 1 }),
  }
}

function defaultCheck(listen: readonly Listen[]): ReadyCheck {
  const tcp = listen.find((one) => one.type === 'tcp')
  return tcp ? { type: 'tcp', endpoint: listenEndpoint(tcp) } : { type: 'settled' }
}
