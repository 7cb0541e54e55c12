import type { Diagnostic } from './diagnostic.ts'
import { normalEnvironment, resolveEnvironment, resolveFile } from './load-ecosystem.ts'
import type { LoadOptions, Sources } from './load-ecosystem.ts'
import { maskSecrets } from './mask-secrets.ts'
import { parseFile } from './parse-file.ts'
import { projectName } from './build-desired.ts'
import { toData } from './tree.ts'

export type EffectiveResult =
  | {
      readonly ok: true
      readonly file: string
      /** In the file's own words: project, env_file, apps. */
      readonly config: Readonly<Record<string, unknown>>
      readonly warnings: readonly Diagnostic[]
      readonly sources: Sources
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[]; readonly sources: Sources }

/**
 * The file as one environment sees it: overlay, defaults and interpolation done, nothing else changed. Secrets are named
 * by their source, and none is fetched.
 *
 * @throws EcoError when there is no file that can be read at all
 */
export async function effectiveConfig(options: Omit<LoadOptions, 'seal'>): Promise<EffectiveResult> {
  const file = resolveFile(options)
  const environment = normalEnvironment(options.environment)
  const parsed = await parseFile({ file, environment, env: options.env })
  const resolved = { ...options, file, environment, seal: () => ({ fingerprint: '', sealed: '' }) }
  const { effective, context } = await resolveEnvironment(parsed, resolved, parsed.problems.error)
  const diagnostics = parsed.problems.toDiagnostics(file, parsed.text)
  const sources = new Map([[file, maskSecrets(parsed.text, parsed.root)]])
  if (!effective || parsed.problems.hasErrors) return { ok: false, diagnostics, sources }
  const data = toData(effective.root) as { apps: Record<string, { env?: Record<string, unknown> }> }
  const apps = Object.entries(data.apps).map(([name, app]) => [name, app.env ? { ...app, env: redact(app.env) } : app])
  const config = { project: projectName(effective.root, context.folder), ...data, apps: Object.fromEntries(apps) }
  return { ok: true, file, config, warnings: diagnostics, sources }
}

function redact(env: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, redactValue(value)]))
}

function redactValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { from_env: variable, from_file: file, from_command: command, secret } = value as Record<string, unknown>
  if (typeof variable === 'string') return `(secret env:${variable})`
  if (typeof file === 'string') return `(secret file:${file})`
  if (Array.isArray(command)) return `(secret command:${String(command[0])})`
  return secret === true ? '(secret literal)' : (value as { value?: unknown }).value
}
