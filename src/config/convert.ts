import { schemaAt, typesOf } from './schema.ts'
import { mapScalars } from './tree.ts'
import type { MapNode, Path, ScalarNode } from './tree.ts'

/**
 * Interpolation makes strings; where the schema asks for a number or a boolean, and for no string, this reads them.
 * What cannot be read stays a string, and the schema says so.
 */
export function convertInterpolated(root: MapNode): MapNode {
  return mapScalars(root, (node, path) => (node.origin === 'interpolated' ? convert(node, path) : node))
}

function convert(node: ScalarNode, path: Path): ScalarNode {
  const schema = schemaAt(path)
  const types = schema ? typesOf(schema) : []
  if (typeof node.value !== 'string' || types.includes('string')) return node
  if (types.includes('boolean') && /^(true|false)$/.test(node.value)) return { ...node, value: node.value === 'true' }
  const isNumeric = types.includes('integer') || types.includes('number')
  return isNumeric && /^-?\d+(\.\d+)?$/.test(node.value) ? { ...node, value: Number(node.value) } : node
}
