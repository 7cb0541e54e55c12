import type { ListedApp } from '../../daemon/protocol.ts'
import { instanceName } from '../../model/ids.ts'
import { type AppliedOne, selectorOf } from '../applied-apps.ts'
import { count, error, fewOf, type Finding, ok, skipped, warning } from '../finding.ts'
import type { AppFacts } from '../look/apps.ts'
import type { RunFacts } from '../look/runs.ts'

const DAY_MS = 24 * 3_600_000
/** Within the window of its policy, of one instance. */
const MANY_RESTARTS = 3

/**
 * @param listed as the daemon lists them; null: none was asked
 */
export function judgeApps(
  apps: readonly AppFacts[],
  listed: readonly ListedApp[] | null,
  runs: RunFacts,
  now: number,
): Finding[] {
  return [
    ...judgeStates(listed, runs),
    ...judgeStrays(runs, listed !== null),
    ...judgeHolds(
      apps.map(({ app }) => app),
      now,
    ),
    ...judgeFiles(apps),
  ]
}

function judgeStates(listed: readonly ListedApp[] | null, { ended, living }: RunFacts): Finding[] {
  if (listed === null) {
    if (ended.length === 0)
      return [skipped('apps.state', `without a daemon only processes can be seen: ${living.length} run`)]
    const text = `${count(ended.length, 'instance')} ended while no daemon watched`
    const details = fewOf(
      ended.map(({ scope, app, slot }) => `${scope.project}/${scope.environment}/${instanceName(app, slot)}`),
    )
    return [warning('apps.state', text, 'eco daemon start', { details })]
  }
  const findings = listed.flatMap(judgeListed)
  const instances = listed.reduce((sum, app) => sum + app.instances.length, 0)
  return findings.length > 0
    ? findings
    : [
        ok(
          'apps.state',
          `${count(listed.length, 'app')}, ${count(instances, 'instance')}: none failed, none keeps crashing`,
        ),
      ]
}

function judgeListed(listed: ListedApp): Finding[] {
  const { project, environment, app, state, reason, instances } = listed
  const selector = selectorOf({ scope: { project, environment }, app })
  const name = `${project}/${environment}/${app}`
  const notes = instances.flatMap(({ id, notes: list = [] }) => list.map((note) => `${id}: ${note}`))
  const reasons = instances.flatMap((it) =>
    it.reason === null || it.state === 'running' ? [] : [`${it.id}: ${it.reason}`],
  )
  const findings: Finding[] = []
  if (state === 'failed' || state === 'exited') {
    const text = `${name} has ${state === 'failed' ? 'failed' : 'ended, and is left so'}${reason === null ? '' : `: ${reason}`}`
    const details = fewOf(reasons)
    const remedy = `eco logs ${selector}`
    findings.push(
      state === 'failed'
        ? error('apps.state', text, remedy, { details })
        : warning('apps.state', text, remedy, { details }),
    )
  } else if (state === 'backoff') {
    findings.push(
      warning('apps.state', `${name} keeps ending; it is started again and again`, `eco logs ${selector}`, {
        details: fewOf(reasons),
      }),
    )
  }
  const restarts = Math.max(0, ...instances.map((it) => it.recent_restarts))
  if (findings.length === 0 && restarts >= MANY_RESTARTS) {
    const text = `${name} runs, and was restarted ${restarts} times lately`
    findings.push(warning('apps.state', text, `eco logs ${selector}`))
  }
  if (notes.length > 0)
    findings.push(
      warning('apps.notes', `${name} does not run quite as its file asks for`, `eco describe ${selector}`, {
        details: fewOf(notes),
      }),
    )
  return findings
}

function judgeStrays({ strays }: RunFacts, isDaemonThere: boolean): Finding[] {
  if (strays.length === 0) return [ok('apps.strays', 'every process that eco started is known')]
  const details = fewOf(strays.map(({ name, pids }) => `${name}: pid ${pids.join(', ')}`))
  const text = `${count(strays.length, 'run')} that no runtime file tells of ${strays.length === 1 ? 'is' : 'are'} alive`
  return isDaemonThere
    ? [
        warning(
          'apps.strays',
          `${text}; a daemon that starts takes over what has a place, and stops the rest`,
          'eco daemon stop && eco daemon start',
          { details },
        ),
      ]
    : [
        warning(
          'apps.strays',
          `${text}; the next daemon takes over what has a place, and stops the rest`,
          'eco daemon start',
          { details },
        ),
      ]
}

function judgeHolds(apps: readonly AppliedOne[], now: number): Finding[] {
  const old = apps.filter(({ hold }) => hold !== null && hold.until === undefined && now - hold.at > DAY_MS)
  if (old.length === 0) return [ok('apps.holds', 'no app has been held by hand for more than a day')]
  return old.map((app) => {
    const { verb = 'stop', by = '', at = now, instances = 0 } = app.hold ?? {}
    const days = Math.floor((now - at) / DAY_MS)
    const what = verb === 'stop' ? 'stopped' : `scaled to ${instances}`
    const text = `${app.name} has been ${what} by hand (${by}) for ${count(days, 'day')}, whatever its file says`
    return warning('apps.holds', text, verb === 'stop' ? `eco start ${selectorOf(app)}` : 'eco diff')
  })
}

function judgeFiles(apps: readonly AppFacts[]): Finding[] {
  const lacking = apps.filter(({ missing }) => missing.length > 0)
  if (lacking.length === 0) return [ok('apps.files', 'folders, programs and users of all apps are there')]
  return lacking.map(({ app, missing }) => {
    const runs = app.wanted > 0 ? 'its next start fails' : 'it cannot be started'
    const text = `${app.name}: ${missing.join(', and ')}; ${runs}`
    const remedy = `eco describe ${selectorOf(app)}`
    return app.wanted > 0 ? error('apps.files', text, remedy) : warning('apps.files', text, remedy)
  })
}
