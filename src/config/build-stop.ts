import type { StopPolicy } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import { checkedArgv } from './build-command.ts'
import type { Search } from './build-command.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'

/** How an app is asked to end. */
export function buildStop(app: AppNode, search: Search, report: Report): StopPolicy {
  const { stop } = app.data
  const usual = SPEC_DEFAULTS.stop
  if (!stop) return usual
  const { message = null, exec = null } = stop
  if (message !== null && exec !== null) {
    report(app.keyAt('stop', 'exec'), `${app.label}.stop has both message and exec`, 'keep one of them')
  }
  return {
    signal: stop.signal ?? usual.signal,
    message: message === null ? null : JSON.stringify(message),
    exec: exec && checkedArgv(app, exec, search, ['stop', 'exec'], report),
    drainMs: readDuration(app, ['stop', 'drain'], usual.drainMs, report),
    timeoutMs: readDuration(app, ['stop', 'timeout'], usual.timeoutMs, report),
  }
}
