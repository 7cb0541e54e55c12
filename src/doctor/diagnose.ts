import { inspectUnit } from '../startup/inspect-unit.ts'
import type { Inspection } from '../startup/inspection.ts'
import { VERSION } from '../version.ts'
import { type AppliedOne, appliedApps } from './applied-apps.ts'
import { type Area, error, type Finding, skipped } from './finding.ts'
import { judgeApps } from './judge/apps.ts'
import { judgeBoot } from './judge/boot.ts'
import { type Delegation, judgeCgroups } from './judge/cgroups.ts'
import { judgeDaemon } from './judge/daemon.ts'
import { judgeHome, whyClosed } from './judge/home.ts'
import { judgeLimits, type Needs } from './judge/limits.ts'
import { judgeLogs } from './judge/logs.ts'
import { judgeNode } from './judge/node.ts'
import { judgePorts } from './judge/ports.ts'
import { judgeState } from './judge/state.ts'
import { lookAtApps } from './look/apps.ts'
import { lookAtCgroups } from './look/cgroups.ts'
import { lookAtDaemon } from './look/daemon.ts'
import { lookAtHome } from './look/home.ts'
import { lookForLeftovers } from './look/leftovers.ts'
import { lookAtLimits } from './look/limits.ts'
import { lookAtListeners } from './look/listeners.ts'
import { lookAtLogs } from './look/logs.ts'
import { lookAtNode } from './look/node.ts'
import { lookAtOpenFiles } from './look/open-files.ts'
import { lookAtPorts } from './look/ports.ts'
import { lookAtRuns } from './look/runs.ts'
import { lookAtState } from './look/state.ts'

/**
 * Looks at this machine and this ECO_HOME. Starts nothing and changes nothing.
 *
 * @returns the findings, in the order of AREAS
 */
export async function diagnose(home: string): Promise<Finding[]> {
  const now = Date.now()
  const me = process.geteuid?.() ?? 0
  const files = lookAtOpenFiles()
  const listeners = lookAtListeners(files)
  const folder = lookAtHome(home)
  const daemon = await lookAtDaemon(home, listeners)
  const isDaemonThere = daemon.contact.type !== 'absent' && daemon.contact.type !== 'left'
  const state = lookAtState(home)
  const runs = await lookAtRuns(home)
  const apps = appliedApps(state.scopes, now)
  const boot = inspectUnit(home, VERSION)
  const isSystemd = boot.init === 'systemd'
  const pid = daemon.process?.pid ?? null
  const isOpen = !isDaemonThere || typeof daemon.process?.openFiles === 'number'
  const listed = daemon.listing?.apps ?? null
  const freeBytes = folder.fileSystem?.freeBytes ?? null
  const closed = whyClosed(folder)
  const limits = lookAtLimits(daemon.process, files)
  const seen = (area: Area, judge: () => Finding[]): Finding[] =>
    closed === null ? judged(area, judge) : [skipped(`${area}.closed`, `${closed}: this was not looked at`)]
  return [
    ...judged('home', () => judgeHome(folder)),
    ...seen('daemon', () => judgeDaemon(daemon, VERSION, runs.living.length, me)),
    ...seen('state', () => judgeState(state, lookForLeftovers(folder, listeners, now), isDaemonThere)),
    ...judged('node', () =>
      judgeNode(
        lookAtNode(),
        named(apps, usesNotify),
        named(apps, ({ listens }) => listens.length > 0),
        me,
      ),
    ),
    ...judged('boot', () => judgeBoot(boot, apps.length > 0)),
    ...judged('cgroups', () =>
      judgeCgroups(lookAtCgroups(home, pid), limited(apps), delegationOf(boot, pid, apps.length > 0)),
    ),
    ...judged('limits', () => judgeLimits(limits, needsOf(apps), isSystemd)),
    ...seen('ports', () => judgePorts(lookAtPorts(apps, listeners, runs.ours, pid, isOpen), isDaemonThere)),
    ...seen('apps', () => judgeApps(lookAtApps(apps), listed, runs, now)),
    ...seen('logs', () => judgeLogs(lookAtLogs(home, apps, folder.entries, runs, files), freeBytes, limits)),
  ]
}

function delegationOf({ init, services, isRoot }: Inspection, daemon: number | null, applied: boolean): Delegation {
  const isSystemd = init === 'systemd'
  const isUnit = services.some(({ isActive }) => isActive)
  return {
    isSystemd,
    remedy: !isSystemd || isUnit ? null : isRoot ? 'eco startup' : 'eco startup --user',
    isYetToCome: isSystemd && daemon === null && (services.length > 0 || !applied),
  }
}

function named(apps: readonly AppliedOne[], has: (app: AppliedOne) => boolean): string[] {
  return apps.filter(has).map(({ name }) => name)
}

function usesNotify({ spec }: AppliedOne): boolean {
  return spec.ready.check.type === 'notify'
}

function limited(apps: readonly AppliedOne[]): { memory: string[]; cpu: string[] } {
  return {
    memory: named(apps, ({ spec }) => spec.limits.memoryBytes !== null),
    cpu: named(apps, ({ spec }) => spec.limits.cpu !== null),
  }
}

function needsOf(apps: readonly AppliedOne[]): Needs {
  return {
    instances: apps.reduce((sum, { wanted }) => sum + wanted, 0),
    watching: named(apps, ({ spec }) => spec.watch !== null),
    backlogs: apps.flatMap(({ name, listens }) =>
      listens.flatMap(({ backlog }) => (backlog === undefined ? [] : [{ app: name, backlog }])),
    ),
  }
}

/** A check that fails itself must not hide what the others have found. */
function judged(area: Area, judge: () => Finding[]): Finding[] {
  try {
    return judge()
  } catch (failure) {
    const { message } = failure as Error
    return [error(`${area}.check`, `This could not be checked: ${message}`, 'eco doctor --json')]
  }
}
