/**
 * What the daemon lets in. Between two versions of eco nothing is silently left aside: a method, a parameter or a field of
 * an app that this daemon does not know is refused, and the refusal says which of the two is to be upgraded (docs/adr/0020).
 */

import { EcoError } from '../errors.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppSpec, DesiredState } from '../model/spec.ts'
import { currentSpec } from '../state/migrate-spec.ts'
import { MIN_PROTOCOL, type MethodName, type Methods, PROTOCOL } from './protocol.ts'

export interface Admitted {
  readonly method: MethodName
  readonly params: unknown
}

interface Request {
  readonly protocol?: unknown
  /** The oldest protocol that the command understands; absent: only `protocol`. */
  readonly min_protocol?: unknown
  /** Of the eco that asks; absent in the oldest. */
  readonly version?: unknown
  readonly method?: unknown
  readonly params?: unknown
}

/** @throws EcoError USAGE, or DAEMON_VERSION with the command that brings the two together */
export function admit(line: string, version: string): Admitted {
  const request = parse(line)
  const method = String(request.method)
  if (!KEEPS_ITS_FORM.has(method) && !isUnderstood(request)) {
    const theirs = typeof request.protocol === 'number' ? request.protocol : 0
    const who = typeof request.version === 'string' ? `eco ${request.version}` : 'this command'
    throw new EcoError(
      'DAEMON_VERSION',
      `The daemon (eco ${version}) speaks protocol ${PROTOCOL}, ${who} speaks ${String(request.protocol)}.`,
      { hint: theirs < PROTOCOL ? UPGRADE_THE_COMMAND : UPGRADE_THE_DAEMON },
    )
  }
  if (!Object.hasOwn(PARAMS, method)) throw unknown(version, `the method "${method}"`)
  const params = (request.params ?? {}) as Readonly<Record<string, unknown>>
  if (KEEPS_ITS_FORM.has(method)) return { method: method as MethodName, params }
  const known: Readonly<Record<string, true>> = PARAMS[method as MethodName]
  refuseUnknown(params, known, version, `of "${method}"`)
  if (isRecord(params['intent'])) refuseUnknown(params['intent'], INTENT, version, `of "${method}"`)
  return { method: method as MethodName, params: withDesired(params, version) }
}

/** These keep their form for ever: any eco can ask who is there, end it, and have it hand over. */
const KEEPS_ITS_FORM: ReadonlySet<string> = new Set<MethodName>(['hello', 'shutdown', 'upgrade'])

const UPGRADE_THE_DAEMON = 'upgrade the daemon to this eco, your apps keep running: eco daemon upgrade'
const UPGRADE_THE_COMMAND =
  'this eco is older than the daemon: upgrade it (npm install --global eco-orchestrator), or call the newer one'

function parse(line: string): Request {
  try {
    return (JSON.parse(line) as Request | null) ?? {}
  } catch (cause) {
    throw new EcoError('USAGE', 'The request is not JSON.', { cause })
  }
}

/** Both sides have a range of protocols; one in both is enough. */
function isUnderstood({ protocol, min_protocol: min = protocol }: Request): boolean {
  return typeof protocol === 'number' && typeof min === 'number' && protocol >= MIN_PROTOCOL && min <= PROTOCOL
}

function unknown(version: string, what: string): EcoError {
  return new EcoError('DAEMON_VERSION', `The daemon (eco ${version}) does not know ${what}.`, {
    hint: UPGRADE_THE_DAEMON,
  })
}

function refuseUnknown(given: object, known: object, version: string, where: string): void {
  const stranger = Object.keys(given).find((key) => !Object.hasOwn(known, key))
  if (stranger !== undefined) throw unknown(version, `"${stranger}" ${where}`)
}

/** Apps as this eco describes them: what an older one did not know of gets its default. */
function withDesired(params: Readonly<Record<string, unknown>>, version: string): object {
  const desired = params['desired'] as DesiredState | undefined
  if (!isRecord(desired?.apps)) return params
  for (const [app, spec] of Object.entries(desired.apps)) refuseUnknownFields(spec, version, app)
  const apps = Object.entries(desired.apps).map(([app, spec]) => [app, currentSpec(spec)])
  return { ...params, desired: { ...desired, apps: Object.fromEntries(apps) as DesiredState['apps'] } }
}

function refuseUnknownFields(spec: AppSpec, version: string, app: string): void {
  const fields: Readonly<Record<string, unknown>> = { ...SPEC_DEFAULTS, kind: '', command: [], cwd: '' }
  refuseUnknown(spec, fields, version, `of app ${app}`)
  for (const part of SETTINGS) {
    if (isRecord(spec[part])) refuseUnknown(spec[part], SPEC_DEFAULTS[part], version, `of ${part} of app ${app}`)
  }
}

/** Fields of an app with settings of fixed names. */
const SETTINGS = [
  'ready',
  'stop',
  'restart',
  'hooks',
  'limits',
  'attributes',
  'output',
  'rotation',
  'rollout',
  'job',
] as const

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const SELECTION = { selectors: true, project: true, environment: true } as const
const INTENT = { only: true, allowEmpty: true, takeOver: true } as const satisfies Known<
  Methods['plan']['params']['intent']
>
const VERB = { ...SELECTION, verb: true, instances: true, delta: true, forMs: true, by: true } as const

/** Every parameter by name; one that is missing here does not compile. */
type Known<T> = { readonly [K in keyof Required<T>]: true }

const PARAMS: { readonly [M in MethodName]: Known<Methods[M]['params']> } = {
  hello: {},
  shutdown: { apps: true },
  upgrade: { node: true, entry: true },
  resume: {},
  plan: { desired: true, intent: true },
  apply: { desired: true, intent: true, plan: true, by: true, wait: true },
  rollbackPlan: { scope: true, allowEmpty: true, serial: true },
  rollback: { scope: true, allowEmpty: true, serial: true, plan: true, by: true, wait: true },
  verb: VERB,
  verbPlan: VERB,
  ls: SELECTION,
  lsText: { ...SELECTION, json: true, color: true, width: true },
  describe: SELECTION,
  reset: SELECTION,
  rollout: { ...SELECTION, action: true, by: true },
  logs: SELECTION,
  rotateLogs: SELECTION,
  flushLogs: SELECTION,
}
