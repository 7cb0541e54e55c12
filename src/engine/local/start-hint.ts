import type { AppSpec } from '../../model/spec.ts'
import { usesSystemdProtocol } from '../../supervisor/environment.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import { runOf } from '../../supervisor/carriers.ts'
import { portHolder } from '../../supervisor/proc.ts'
import { parseRunName, RUN_VARIABLE } from '../../supervisor/run-name.ts'
import type { RunnerIdentity } from '../../supervisor/runner-host.ts'

const LINES = 30
const IN_USE = /EADDRINUSE|address (is )?already in use/i
const WOULD_BLOCK = /BlockingIOError|EAGAIN|EWOULDBLOCK|resource temporarily unavailable/i

/**
 * What most likely kept an instance from starting, where its last words are about addresses: what happened, and what to
 * do. null: nothing is known.
 */
export function startHint(runner: InstanceRunner): string | null {
  const { spec } = runner
  const lines = runner.logOffsets.flatMap((from) => runner.host.logs.lastLines(from, LINES))
  const refused = lines.filter((line) => IN_USE.test(line))
  if (refused.length > 0) return boundTwice(refused, spec, runner.id)
  if (usesSystemdProtocol(spec) && lines.some((line) => WOULD_BLOCK.test(line))) {
    return 'the processes before it have set the socket that they share to non-blocking, and it relies on calls that block: set rollout.exclusive: true'
  }
  return null
}

function boundTwice(lines: readonly string[], spec: AppSpec, id: RunnerIdentity): string | null {
  const declared = spec.listen.map((one) => (one.type === 'tcp' ? String(one.port) : one.path))
  const named = [...new Set(lines.flatMap((line) => line.match(/(?<=[:\s])\d{2,5}\b/g) ?? []))]
  const held = declared.find((address) => lines.some((line) => line.includes(address)))
  // Many do not say which address it was.
  const own = held ?? (named.some((port) => isPort(port) && portHolder(Number(port)).pid !== null) ? null : declared[0])
  if (own != null) {
    const what = own.startsWith('/') ? own : `port ${own}`
    return `${what} is declared under listen, so eco holds it: let the app use the socket it is given, or remove listen and set rollout.exclusive: true`
  }
  for (const port of named) {
    const { pid, command } = portHolder(Number(port))
    if (pid === null) continue
    if (isOfApp(pid, id)) {
      return `another instance of the app has port ${port}: declare it under listen, so that they share it, or set rollout.exclusive: true`
    }
    return `port ${port} is in use by pid ${pid} (${command ?? 'unknown command'})`
  }
  return null
}

function isOfApp(pid: number, { scope, app }: RunnerIdentity): boolean {
  const name = runOf(pid, `${RUN_VARIABLE}=`) ?? ''
  const run = parseRunName(name.slice(name.indexOf('/') + 1))
  return run?.app === app && run.scope.project === scope.project && run.scope.environment === scope.environment
}

function isPort(text: string): boolean {
  return Number(text) > 0 && Number(text) < 65_536
}
