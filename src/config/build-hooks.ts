import type { Hook, Hooks } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import type { App } from './ecosystem.ts'
import { checkedArgv } from './build-command.ts'
import type { Search } from './build-command.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'
import type { Path } from './tree.ts'

type WrittenHook = NonNullable<NonNullable<NonNullable<App>['hooks']>['pre_start']>

const DEFAULT_TIMEOUT_MS = 30_000

type Name = 'pre_start' | 'post_start' | 'pre_stop' | 'post_stop'

/** The commands around the life of an instance. A text is for the shell, which stops at the first command that fails. */
export function buildHooks(app: AppNode, search: Search, report: Report): Hooks {
  if (!app.data.hooks) return SPEC_DEFAULTS.hooks
  const build = (name: Name): Hook | null => buildHook(app, ['hooks', name], app.data.hooks?.[name], search, report)
  return {
    preStart: build('pre_start'),
    postStart: build('post_start'),
    preStop: build('pre_stop'),
    postStop: build('post_stop'),
  }
}

/**
 * A command that is run once, at a path of an app.
 *
 * @returns null when there is none, or nothing in it to run
 */
export function buildHook(
  app: AppNode,
  at: readonly [group: 'hooks' | 'rollout', name: string],
  written: WrittenHook | null | undefined,
  search: Search,
  report: Report,
): Hook | null {
  if (!written) return null
  const isLong = typeof written === 'object' && !Array.isArray(written)
  const path: Path = isLong ? [...at, 'run'] : at
  const run = isLong ? written.run : written
  if (!run) {
    report(app.keyAt(...at), `${app.label}.${at.join('.')} has no run`, "run: [node, hook.js] or run: 'rm -f x'")
    return null
  }
  const argv = typeof run === 'string' ? ['/bin/sh', '-ec', run] : checkedArgv(app, run, search, path, report)
  const timeoutMs = readDuration(app, [...at, 'timeout'], DEFAULT_TIMEOUT_MS, report, { min: 1 })
  return { command: argv, timeoutMs }
}
