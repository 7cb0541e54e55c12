/** The environment of an instance: what the spec declares, what eco documents, and nothing else. */

import type { ScopeId } from '../model/ids.ts'
import { asksForPorts } from '../model/asks-for-ports.ts'
import { forSlot } from '../model/instance-values.ts'
import type { Exit } from '../model/observed.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import { loginVariables } from './launch.ts'
import { listenServing } from './probes/private-path.ts'
import { listenKey } from './sockets.ts'

/** Descriptors for listening sockets start here: below 17 Node wrappers (npm, tsx) close or overwrite them. */
export const FIRST_LISTEN_FD = 20
/** systemd's protocol (sd_listen_fds(3)) counts from 3. */
export const SYSTEMD_FIRST_FD = 3

export interface InstanceContext {
  readonly scope: ScopeId
  readonly app: string
  readonly slot: number
  readonly revision: number
  /** Absolute path of the CommonJS file that Node apps load first. */
  readonly preload: string
  /** Opens a sealed secret. */
  readonly open: (sealed: string) => string
}

/** What every process of the app gets, hooks and checks included: its variables, and who it is. */
function ownEnvironment(spec: AppSpec, context: InstanceContext): Record<string, string> {
  const env: Record<string, string> = { ...spec.ambient, ...loginVariables(spec.attributes) }
  // As programs written for PM2 expect it; before the app's own, which win.
  if (isNodeProgram(spec)) env['NODE_APP_INSTANCE'] = String(context.slot)
  for (const [name, value] of Object.entries(spec.env)) {
    env[name] = forSlot(value.type === 'plain' ? value.value : context.open(value.sealed), context.slot)
  }
  env['ECO_PROJECT'] = context.scope.project
  env['ECO_ENV'] = context.scope.environment
  env['ECO_APP'] = context.app
  env['ECO_INSTANCE'] = String(context.slot)
  env['ECO_REVISION'] = String(context.revision)
  return env
}

/**
 * The environment of a command that runs beside an instance.
 *
 * @param pid the instance's, where it has one: ECO_PID
 * @param lastExit how it ended, for post_stop: ECO_EXIT_CODE or ECO_EXIT_SIGNAL
 */
export function commandEnvironment(
  spec: AppSpec,
  context: InstanceContext,
  pid: number | null,
  lastExit: Exit | null,
): Record<string, string> {
  const env = ownEnvironment(spec, context)
  if (pid !== null) env['ECO_PID'] = String(pid)
  else if (lastExit?.kind === 'code') env['ECO_EXIT_CODE'] = String(lastExit.code)
  else if (lastExit?.kind === 'signal') env['ECO_EXIT_SIGNAL'] = lastExit.signal
  return env
}

export function instanceEnvironment(spec: AppSpec, context: InstanceContext): Record<string, string> {
  const env = ownEnvironment(spec, context)
  if (spec.listen.length > 0) env['ECO_LISTEN'] = inheritedList(spec.listen)
  if (asksForPorts(spec)) env['ECO_CHANNEL'] = '1'
  if (isHeldBack(spec)) env['ECO_HOLD'] = '1'
  if (spec.ready.check.type === 'signal') env['ECO_READY_FD'] = String(readyFd(spec))
  if (spec.stop.message !== null) env['ECO_STOP_MESSAGE'] = spec.stop.message
  if (needsPreload(spec)) env['NODE_OPTIONS'] = withPreload(env['NODE_OPTIONS'], context.preload)
  if (usesSystemdProtocol(spec)) {
    env['LISTEN_FDS'] = String(spec.listen.length)
    env['LISTEN_FDNAMES'] = spec.listen.map(({ name }, i) => name ?? `listen${i}`).join(':')
  }
  return env
}

/** `20=tcp:*:3000;21,1024=unix:/run/api.sock`: descriptors, with a backlog where one is declared. */
function inheritedList(listens: readonly Listen[]): string {
  return listens
    .map((listen, i) => {
      const backlog = listen.backlog === undefined ? '' : `,${listen.backlog}`
      return `${FIRST_LISTEN_FD + i}${backlog}=${listenKey(listen)}`
    })
    .join(';')
}

/**
 * The preload adopts sockets, drains, carries process.send('ready') and the stop message; other apps run untouched. What
 * is not Node may start something that is.
 */
export function needsPreload(spec: AppSpec): boolean {
  if (spec.kind === 'service' && isNodeProgram(spec)) return true
  return spec.listen.length > 0 || spec.ready.check.type === 'signal' || spec.stop.message !== null
}

/** Whether it has a folder for sockets of its own: by those its processes are spoken with (control-sockets.ts). */
export function hasPrivateFolder(spec: AppSpec): boolean {
  return hasPrivateSockets(spec) || (spec.kind === 'service' && needsPreload(spec))
}

/**
 * Whether it accepts on its addresses only when it is ready. Its ready check reaches it by its private socket then; one
 * that asks the address itself, as a command may do and a name that only the resolver knows, would wait for ever.
 */
export function isHeldBack(spec: AppSpec): boolean {
  const { check } = spec.ready
  if (spec.kind !== 'service' || !hasPrivateSockets(spec) || check.type === 'exec') return false
  if (check.type !== 'http' && check.type !== 'tcp') return true
  const { endpoint } = check
  // Its port is not known yet, but where a probe of that port would end is.
  if (asksForPorts(spec) && endpoint.type === 'tcp') {
    return listenServing(endpoint, [{ type: 'tcp', host: null, port: endpoint.port }]) !== -1
  }
  if (listenServing(endpoint, spec.listen) !== -1) return true
  return !spec.listen.some((it) => it.type === 'tcp' && endpoint.type === 'tcp' && it.port === endpoint.port)
}

/**
 * Where an app writes the line `ready`. As high as the sockets for Node and its wrappers; one digit for all others, since
 * a POSIX shell knows no larger descriptor.
 */
export function readyFd(spec: AppSpec): number {
  return isNodeProgram(spec) ? FIRST_LISTEN_FD - 1 : SYSTEMD_FIRST_FD + spec.listen.length
}

const NODE_PROGRAMS = new Set(['node', 'nodejs', 'npm', 'npx', 'yarn', 'pnpm', 'tsx', 'ts-node', 'next', 'nest'])

/** Programs that are not Node get their sockets by systemd's protocol, from descriptor 3 on. */
export function usesSystemdProtocol(spec: AppSpec): boolean {
  return spec.listen.length > 0 && !isNodeProgram(spec)
}

/** Whether eco's preload adopts its sockets, and so can open private ones beside them. */
export function hasPrivateSockets(spec: AppSpec): boolean {
  return asksForPorts(spec) || (spec.listen.length > 0 && isNodeProgram(spec))
}

function isNodeProgram(spec: AppSpec): boolean {
  return NODE_PROGRAMS.has(spec.command[0]?.split('/').at(-1) ?? '')
}

function withPreload(options: string | undefined, preload: string): string {
  const flag = `--require ${JSON.stringify(preload)}`
  return options ? `${options} ${flag}` : flag
}
