import type { AppKind, AppSpec, DependencyCondition, Listen, Ready, StopPolicy } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { BuildContext } from './build-context.ts'
import { buildProgram } from './build-command.ts'
import { ambientEnv, buildEnv, sealEnv } from './build-env.ts'
import { buildReady } from './build-ready.ts'
import { buildRestart } from './build-restart.ts'
import { buildSchedule } from './build-schedule.ts'
import { countInstances } from './cpus.ts'
import { parseDuration } from './duration.ts'
import { readCpus } from './read-cpus.ts'
import type { Report } from './problem.ts'

/**
 * The complete description of one app: every default filled in, paths absolute, durations in milliseconds.
 *
 * @param listen    what `buildListen` read
 * @param dependsOn what `buildDependencies` read
 * @returns null when its program cannot be run; problems went to the context's list in any case
 */
export async function buildApp(
  app: AppNode,
  listen: readonly Listen[],
  dependsOn: Readonly<Record<string, DependencyCondition>>,
  context: BuildContext,
): Promise<AppSpec | null> {
  const report = context.problems.error
  const kind = app.data.kind ?? 'service'
  checkKind(app, kind, report)
  const env = await buildEnv(app, listen, context)
  const program = buildProgram(app, context, env.get('PATH')?.value ?? context.env['PATH'], report)
  const ready: Ready = kind === 'service' ? buildReady(app, listen, report) : SPEC_DEFAULTS.ready
  const schedule = await buildSchedule(app, kind, report)
  if (!program) return null
  return {
    ...SPEC_DEFAULTS,
    kind,
    command: program.command,
    cwd: program.cwd,
    instances: countInstances(app.data.instances ?? 1, readCpus),
    listen,
    env: sealEnv(env, context.seal),
    ambient: ambientEnv(context.env, env),
    ready,
    stop: buildStop(app),
    restart: buildRestart(app, kind),
    rollout: { exclusive: app.data.rollout?.exclusive ?? bindsItself(ready, listen) },
    dependsOn,
    schedule,
  }
}

/** What a job or cron app cannot have. */
function checkKind(app: AppNode, kind: AppKind, report: Report): void {
  if (kind === 'service') return
  for (const key of ['listen', 'ready'] as const) {
    if (app.data[key] !== undefined)
      report(app.keyAt(key), `${app.label}.${key} is not for a ${kind}: it runs and ends`)
  }
  const { instances } = app.data
  if (instances !== undefined && String(instances) !== '1') {
    report(app.at('instances'), `${app.label}.instances must be 1 for a ${kind}, but was ${JSON.stringify(instances)}`)
  }
}

function buildStop(app: AppNode): StopPolicy {
  const { signal, timeout } = app.data.stop ?? {}
  const { stop } = SPEC_DEFAULTS
  return { ...stop, signal: signal ?? stop.signal, timeoutMs: parseDuration(timeout ?? '') ?? stop.timeoutMs }
}

/** A ready check on a port that eco does not hold: the app binds it, so two copies cannot run side by side. */
function bindsItself({ check }: Ready, listen: readonly Listen[]): boolean {
  if ((check.type !== 'http' && check.type !== 'tcp') || check.endpoint.type !== 'tcp') return false
  const { port } = check.endpoint
  return !listen.some((one) => one.type === 'tcp' && one.port === port)
}
