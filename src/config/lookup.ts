import { existsSync } from 'node:fs'
import path from 'node:path'
import type { TreeNode } from './tree.ts'

/**
 * Looks variables up in the calling shell, then in the project's `.env` beside the ecosystem file.
 * dotenv is loaded when there is such a file.
 */
export async function createLookup(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
  complain: (message: string) => void,
): Promise<(name: string) => string | undefined> {
  const values = await readProjectEnv(path.join(folder, '.env'), complain)
  return (name) => env[name] ?? (Object.hasOwn(values, name) ? values[name] : undefined)
}

async function readProjectEnv(
  file: string,
  complain: (message: string) => void,
): Promise<Readonly<Record<string, string>>> {
  if (!existsSync(file)) return {}
  const { readEnvFile } = await import('./env-file.ts')
  const result = readEnvFile(file)
  if (result.ok) return result.values
  complain(`cannot use the project's ${file}: ${result.reason}`)
  return {}
}

/** Whether a file asks for a variable at all: `${…}` or `from_env`. Most do not, and then `.env` is not read. */
export function needsLookup(node: TreeNode): boolean {
  if (node.kind === 'scalar') return typeof node.value === 'string' && node.value.includes('${')
  if (node.kind === 'list') return node.items.some(needsLookup)
  return node.entries.has('from_env') || [...node.entries.values()].some((entry) => needsLookup(entry.value))
}
