import { asksForPorts } from '../model/asks-for-ports.ts'
import { forSlot } from '../model/instance-values.ts'
import type { AppSpec, Endpoint, Listen, Ready } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { buildAttributes } from './build-attributes.ts'
import type { CheckContext } from './build-check.ts'
import type { BuildContext } from './build-context.ts'
import { buildProgram } from './build-command.ts'
import type { Dependencies } from './build-dependencies.ts'
import { ambientEnv, buildEnv, sealEnv } from './build-env.ts'
import { buildHooks } from './build-hooks.ts'
import { buildInputs, buildJob } from './build-job.ts'
import { buildLimits } from './build-limits.ts'
import { buildOutput, buildRotation } from './build-logs.ts'
import { buildProbe } from './build-probe.ts'
import { buildReady } from './build-ready.ts'
import { buildRestart } from './build-restart.ts'
import { buildRollout } from './build-rollout.ts'
import { buildSchedule } from './build-schedule.ts'
import { buildStop } from './build-stop.ts'
import { buildWatch } from './build-watch.ts'
import { countInstances } from './cpus.ts'
import { checkKind } from './kind-keys.ts'
import { readCpus } from './read-cpus.ts'

/**
 * The complete description of one app: every default filled in, paths absolute, durations in milliseconds.
 *
 * @param listen       what `buildListen` read
 * @param dependencies what `buildDependencies` read
 * @returns null when its program cannot be run; problems went to the context's list in any case
 */
export async function buildApp(
  app: AppNode,
  listen: readonly Listen[],
  dependencies: Dependencies,
  context: BuildContext,
): Promise<AppSpec | null> {
  const report = context.problems.error
  const { folder, programs } = context
  const kind = app.data.kind ?? 'service'
  checkKind(app, kind, report)
  const env = await buildEnv(app, listen, context)
  const pathVariable = forSlot(env.get('PATH')?.value ?? context.env['PATH'] ?? '', 0) || undefined
  const program = buildProgram(app, context, pathVariable, report)
  const schedule = await buildSchedule(app, kind, report)
  const attributes = buildAttributes(app, context)
  const limits = buildLimits(app, report)
  const restart = buildRestart(app, kind, report)
  if (!program) return null
  const { command, cwd } = program
  const search = { cwd, programs, pathVariable }
  const instances = countInstances(app.data.instances ?? 1, readCpus)
  const checks: CheckContext = { listen, instances, folder, search, report }
  const isService = kind === 'service'
  const ready: Ready = isService ? buildReady(app, checks) : SPEC_DEFAULTS.ready
  return {
    kind,
    command,
    cwd,
    instances,
    listen,
    env: sealEnv(env, context.seal),
    ambient: ambientEnv(context.env, env),
    ready,
    readiness: isService ? buildProbe(app, 'readiness', checks) : null,
    health: isService ? buildProbe(app, 'health', checks) : null,
    stop: buildStop(app, search, report),
    restart,
    hooks: buildHooks(app, search, report),
    limits,
    attributes,
    output: buildOutput(app, context),
    rotation: buildRotation(app, report),
    rollout: buildRollout(app, search, bindsItself(ready, listen, asksForPorts({ kind, command, listen })), report),
    ...dependencies,
    job: isService ? SPEC_DEFAULTS.job : buildJob(app, report),
    inputs: kind === 'job' ? await buildInputs(app, cwd, report) : SPEC_DEFAULTS.inputs,
    schedule,
    watch: isService ? buildWatch(app, cwd, report) : null,
  }
}

/** A ready check on an address that eco does not hold: the app binds it, so two copies cannot run side by side. */
function bindsItself({ check }: Ready, listen: readonly Listen[], asks: boolean): boolean {
  if (check.type !== 'http' && check.type !== 'tcp') return false
  // eco gives it the socket of a port when it asks for it.
  if (asks && check.endpoint.type === 'tcp') return false
  return !listen.some((one) => isAt(one, check.endpoint))
}

function isAt(listen: Listen, endpoint: Endpoint): boolean {
  if (endpoint.type === 'unix') return listen.type === 'unix' && listen.path === endpoint.path
  return listen.type === 'tcp' && listen.port === endpoint.port && !endpoint.perInstance
}
