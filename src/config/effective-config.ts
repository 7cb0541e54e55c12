import path from 'node:path'
import { showPerInstance } from '../model/instance-values.ts'
import type { Diagnostic } from './diagnostic.ts'
import { normalEnvironment, resolveEnvironment, resolveFile } from './load-ecosystem.ts'
import type { LoadOptions, Sources } from './load-ecosystem.ts'
import { maskSecrets } from './mask-secrets.ts'
import { parseFile } from './parse-file.ts'
import { projectName } from './build-desired.ts'
import { EMPTY_MAP, mapAt, mapScalars, scalar, toData, toRecord } from './tree.ts'
import type { MapEntry, MapNode, ScalarNode, TreeNode } from './tree.ts'

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
  const project = new Map([
    ['project', { keyAt: null, value: scalar(projectName(effective.root, context.folder), null) }],
  ])
  const apps = mapAt(effective.root, 'apps') ?? EMPTY_MAP
  const entries = new Map<string, MapEntry>([...project, ...effective.root.entries])
  entries.set('apps', { keyAt: null, value: mapValues(mapScalars(apps, asWritten), redactApp) })
  return { ok: true, file, config: toRecord({ ...effective.root, entries }), warnings: diagnostics, sources }
}

/** What differs from instance to instance, in the file's words. */
function asWritten(node: ScalarNode): ScalarNode {
  return typeof node.value === 'string' ? { ...node, value: showPerInstance(node.value) } : node
}

function redactApp(app: TreeNode): TreeNode {
  const env = app.kind === 'map' ? app.entries.get('env') : undefined
  if (app.kind !== 'map' || env?.value.kind !== 'map') return app
  return { ...app, entries: new Map(app.entries).set('env', { ...env, value: mapValues(env.value, redact) }) }
}

/** A secret becomes `(secret <source>)`; the long form of a plain value becomes the value. */
function redact(node: TreeNode): TreeNode {
  if (node.kind !== 'map') return node
  const at = (key: string): unknown => {
    const value = node.entries.get(key)?.value
    return value && toData(value)
  }
  const [variable, file, command] = [at('from_env'), at('from_file'), at('from_command')]
  if (typeof variable === 'string') return scalar(`(secret env:${variable})`, null)
  if (typeof file === 'string') return scalar(`(secret file:${file})`, null)
  if (Array.isArray(command)) return scalar(`(secret command:${path.basename(String(command[0]))})`, null)
  return at('secret') === true ? scalar('(secret literal)', null) : (node.entries.get('value')?.value ?? node)
}

function mapValues(map: MapNode, change: (value: TreeNode) => TreeNode): MapNode {
  const entries = [...map.entries].map(([key, entry]) => [key, { ...entry, value: change(entry.value) }] as const)
  return { ...map, entries: new Map(entries) }
}
