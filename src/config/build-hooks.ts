import type { Hook, Hooks } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import { checkedArgv } from './build-command.ts'
import type { Search } from './build-command.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'
import type { Path } from './tree.ts'

const DEFAULT_TIMEOUT_MS = 30_000

type Name = 'pre_start' | 'post_start' | 'pre_stop' | 'post_stop'

/** The commands around the life of an instance. A text is for the shell, which stops at the first command that fails. */
export function buildHooks(app: AppNode, search: Search, report: Report): Hooks {
  if (!app.data.hooks) return SPEC_DEFAULTS.hooks
  return {
    preStart: buildHook(app, 'pre_start', search, report),
    postStart: buildHook(app, 'post_start', search, report),
    preStop: buildHook(app, 'pre_stop', search, report),
    postStop: buildHook(app, 'post_stop', search, report),
  }
}

function buildHook(app: AppNode, name: Name, search: Search, report: Report): Hook | null {
  const written = app.data.hooks?.[name]
  if (!written) return null
  const isLong = typeof written === 'object' && !Array.isArray(written)
  const path: Path = isLong ? ['hooks', name, 'run'] : ['hooks', name]
  const run = isLong ? written.run : written
  if (!run) {
    report(app.keyAt('hooks', name), `${app.label}.hooks.${name} has no run`, "run: [node, hook.js] or run: 'rm -f x'")
    return null
  }
  const argv = typeof run === 'string' ? ['/bin/sh', '-ec', run] : checkedArgv(app, run, search, path, report)
  const timeoutMs = readDuration(app, ['hooks', name, 'timeout'], DEFAULT_TIMEOUT_MS, report, { min: 1 })
  return { command: argv, timeoutMs }
}
