/**
 * The tree of a YAML file, kept from one command to the next: parsing a hundred apps anew takes longer than everything
 * else in an `eco diff`. An entry holds the text it was made from and counts only for exactly that text, so it can never
 * be stale. A file with a secret written into it is not kept.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VERSION } from '../version.ts'
import { maskSecrets } from './mask-secrets.ts'
import type { MapNode, TreeNode } from './tree.ts'

interface Entry {
  readonly version: string
  readonly text: string
  readonly tree: MapNode
}

/** Knows Map, which JSON does not. */
const v8 = (): typeof import('node:v8') => process.getBuiltinModule('node:v8')

/** @returns the tree of `text`, or null when it is not known */
export function recallTree(folder: string, file: string, text: string): MapNode | null {
  try {
    const entry = v8().deserialize(readFileSync(entryFile(folder, file))) as Partial<Entry> | null
    return entry?.version === VERSION && entry.text === text ? (entry.tree ?? null) : null
  } catch {
    return null // not there, or of another Node: parse it
  }
}

export function rememberTree(folder: string, file: string, text: string, tree: TreeNode | null): void {
  if (tree?.kind !== 'map' || maskSecrets(text, tree) !== text) return
  const path = entryFile(folder, file)
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.${process.pid}`, v8().serialize({ version: VERSION, text, tree } satisfies Entry), {
      mode: 0o600,
    })
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // Read-only home, full disk: parsed again next time.
  }
}

/** Named by a hash of the file's path (FNV-1a); two files that share one take turns, and stay right. */
function entryFile(folder: string, file: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < file.length; i++) hash = Math.imul(hash ^ file.charCodeAt(i), 0x01000193)
  return join(folder, `tree-${(hash >>> 0).toString(36)}.bin`)
}
