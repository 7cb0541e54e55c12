import type { ProblemList } from './problem.ts'
import { entryAt, toData } from './tree.ts'
import type { MapNode, Path, TreeNode } from './tree.ts'
import { validate } from './validator.generated.js'
import type { SchemaError } from './validator.generated.js'

/**
 * Holds a tree against the schema.
 *
 * @param isForgiven decides that a mismatch is no problem yet: a `${VAR}` that has no value so far
 * @returns the paths of what does not fit
 */
export async function validateTree(
  root: MapNode,
  problems: ProblemList,
  isForgiven: (node: TreeNode) => boolean,
): Promise<Path[]> {
  if (validate(toData(root))) return []
  const mismatches = (validate.errors ?? [])
    .map((error) => ({ error, path: pathOf(error, root) }))
    .filter(({ path }) => {
      const node = entryAt(root, path)?.value
      return !node || !isForgiven(node)
    })
  if (mismatches.length === 0) return []
  const { describeMismatches } = await import('./schema-errors.ts')
  describeMismatches(mismatches, root, problems)
  return mismatches.map(({ path }) => path)
}

export interface Mismatch {
  readonly error: SchemaError
  readonly path: Path
}

/** A JSON pointer as a path; indexes of lists become numbers. */
function pathOf(error: SchemaError, root: MapNode): Path {
  const path: (string | number)[] = []
  for (const part of error.instancePath.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(entryAt(root, path)?.value.kind === 'list' ? Number(key) : key)
  }
  return path
}
