import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { SPEC_FORMAT } from '../model/applied.ts'
import type { ScopeId } from '../model/ids.ts'
import { readJson } from './atomic-file.ts'
import { scopeDir } from './paths.ts'
import { newestRevision } from './revision-store.ts'
import { allScopes } from './runtime-store.ts'

/** Of holds.json, down.json, pending.json, runtime records and histories of runs. */
const OTHER_FORMAT = 1

/**
 * Looks whether a newer eco wrote something of a scope, before anything of it is touched: taken for damaged, its instances
 * would be started a second time, and its file written over.
 *
 * @throws EcoError STATE_NEWER naming the file
 */
export function refuseNewerState(home: string, scope: ScopeId): void {
  const dir = scopeDir(home, scope)
  const newest = newestRevision(home, scope)
  if (newest !== null) refuseNewer(newest, { format: SPEC_FORMAT })
  for (const name of ['holds.json', 'down.json', 'pending.json']) refuseNewer(join(dir, name), { format: OTHER_FORMAT })
  for (const path of jsonIn(join(dir, 'runtime'))) refuseNewer(path, { format: OTHER_FORMAT, spec_format: SPEC_FORMAT })
  for (const path of jsonIn(join(dir, 'runs'))) refuseNewer(path, { format: OTHER_FORMAT })
}

/** @throws EcoError STATE_NEWER naming the first such file of any scope */
export function refuseNewerStates(home: string): void {
  for (const scope of allScopes(home)) refuseNewerState(home, scope)
}

/** What cannot be read at all is for whoever reads it to say. */
function refuseNewer(path: string, known: Readonly<Record<string, number>>): void {
  const result = readJson(path, (value) => value as Record<string, unknown> | null)
  if (result.type !== 'value') return
  for (const [key, newest] of Object.entries(known)) {
    const format = result.value?.[key]
    if (typeof format !== 'number' || format <= newest) continue
    throw new EcoError(
      'STATE_NEWER',
      `${path} has format ${format}, which a newer eco wrote; this one knows it up to ${newest}.`,
      {
        hint: 'upgrade eco (npm install --global eco-orchestrator), then: eco daemon upgrade',
        details: ['Nothing of this scope was changed; its apps go on as they are.'],
      },
    )
  }
}

function jsonIn(dir: string): string[] {
  try {
    return readdirSync(dir).flatMap((name) => (name.endsWith('.json') ? [join(dir, name)] : []))
  } catch {
    return []
  }
}
