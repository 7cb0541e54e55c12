import { withoutMarkers } from '../model/instance-values.ts'
import type { EnvValue as SpecValue, Listen } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import { collectEnvFiles } from './env-files.ts'
import { readReference } from './secret-value.ts'
import type { RawValue } from './secret-value.ts'
import { entryAt } from './tree.ts'

const AMBIENT = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR)$/
const SOURCES = ['value', 'from_env', 'from_file', 'from_command'] as const

/** An app's environment before its secrets are sealed. */
export type RawEnv = ReadonlyMap<string, RawValue>

/**
 * Everything eco puts into an app's environment: inherit_env, PORT of the first tcp listen, env files in order, env.
 * What comes later wins.
 */
export async function buildEnv(app: AppNode, listen: readonly Listen[], context: BuildContext): Promise<RawEnv> {
  const values = new Map<string, RawValue>(inherited(app, context))
  const tcp = listen.find((one) => one.type === 'tcp')
  if (tcp) values.set('PORT', { value: String(tcp.port), secret: null })
  for (const [name, value] of await collectEnvFiles(app, context)) values.set(name, value)
  const own = Object.entries(app.data.env ?? {})
  // Side by side: a secret's command may take a second, and an app may have ten.
  const read = await Promise.all(own.map(([name, value]) => readValue(app, name, value, context)))
  for (const [index, value] of read.entries()) {
    const name = own[index]?.[0]
    if (name === undefined) continue
    if (value) values.set(name, value)
    else values.delete(name)
  }
  for (const [name, { value }] of values) {
    if (withoutMarkers(value).includes('\0'))
      context.problems.error(app.at('env', name), `${app.label}.env.${name} holds a NUL byte`)
  }
  return values
}

/** The environment of a spec: secrets sealed, names in order. */
export function sealEnv(env: RawEnv, seal: BuildContext['seal']): Record<string, SpecValue> {
  const names = [...env.keys()].toSorted()
  return Object.fromEntries(
    names.map((name) => {
      const { value, secret } = env.get(name) ?? { value: '', secret: null }
      return [name, secret === null ? { type: 'plain', value } : { type: 'secret', source: secret, ...seal(value) }]
    }),
  )
}

/** The allow-listed variables of the calling shell that the app does not set itself. */
export function ambientEnv(env: BuildContext['env'], own: RawEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of Object.keys(env)
    .filter((it) => AMBIENT.test(it))
    .toSorted()) {
    const value = env[name]
    if (value !== undefined && !own.has(name)) kept[name] = value
  }
  return kept
}

function* inherited(app: AppNode, { env }: BuildContext): Generator<[string, RawValue]> {
  for (const pattern of app.data.inherit_env ?? []) {
    const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : null
    for (const [name, value] of Object.entries(env)) {
      const matches = prefix === null ? name === pattern : name.startsWith(prefix)
      if (matches && value !== undefined) yield [name, { value, secret: null }]
    }
  }
}

type Written = NonNullable<AppNode['data']['env']>[string]

async function readValue(app: AppNode, name: string, value: Written, context: BuildContext): Promise<RawValue | null> {
  const label = `${app.label}.env.${name}`
  if (typeof value !== 'object' || value === null) {
    checkWritten(app, ['env', name], label, context)
    return { value: String(value), secret: null }
  }
  const given = SOURCES.filter((key) => value[key] !== undefined && value[key] !== null)
  if (given.length !== 1) {
    const has = given.length === 0 ? 'has none' : `has ${given.join(' and ')}`
    const at = given[1] === undefined ? app.keyAt('env', name) : app.keyAt('env', name, given[1])
    context.problems.error(at, `${label} must have exactly one of ${SOURCES.join(', ')}, but ${has}`)
    return null
  }
  if (value.value !== undefined) checkWritten(app, ['env', name, 'value'], label, context)
  const at = app.at('env', name, given[0] ?? '')
  return readReference(value, context, (message, hint) => {
    context.missing(at, `${label}: ${message}`, hint)
    return null
  })
}

/** `1.10` is the number 1.1 and `0x10` is 16: what the process would get is not what was written. */
function checkWritten(app: AppNode, path: readonly string[], label: string, context: BuildContext): void {
  const node = entryAt(app.node, path)?.value
  if (node?.kind !== 'scalar' || node.written === null || node.written === String(node.value)) return
  const isSecret = path.length === 3
  const seen = isSecret ? 'not as written' : `${String(node.value)}, not ${node.written}`
  const hint = isSecret ? 'put it in quotes' : `quote it: "${node.written}"`
  context.problems.error(node.at, `${label} would be ${seen}: without quotes it is ${typeOf(node.value)}`, hint)
}

function typeOf(value: unknown): string {
  return typeof value === 'boolean' ? 'a boolean' : 'a number'
}
