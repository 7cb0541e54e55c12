import { instanceMarker } from '../model/instance-values.ts'
import type { Report } from './problem.ts'
import { formatPath, mapScalars } from './tree.ts'
import type { MapNode, Path, ScalarNode, Span, TreeNode } from './tree.ts'

const EXPRESSION = /\$\$|\$\{([^}]*)\}?/g
/** The slot of an instance, with a number added or not. */
const INSTANCE = /^\s*(?:(\d{1,9})\s*\+\s*instance|instance(?:\s*\+\s*(\d{1,9}))?)\s*$/
const ABOUT_INSTANCE = /^[\s\d+*/%()-]*instance\b/
const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)([^]*))?$/

export interface InterpolateOptions {
  readonly lookup: (name: string) => string | undefined
  readonly text: string
  readonly error: Report
  /** Told about `${VAR:?message}`: an error, or a warning where nobody asked for this environment. */
  readonly missing: Report
}

/**
 * Replaces `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `$$` in every string of a tree; a lone `$` stays.
 * `${instance}` and `${instance + 3000}` become markers that each instance resolves for itself.
 *
 * @returns the same tree when there was nothing to replace
 */
export function interpolate(root: MapNode, options: InterpolateOptions): MapNode {
  let isChanged = false
  const result = mapScalars(root, (node, path) => {
    if (typeof node.value !== 'string' || !/\$[{$]/.test(node.value)) return node
    const replaced = interpolateScalar(node, node.value, path, options)
    isChanged ||= replaced !== node
    return replaced
  })
  return isChanged ? result : root
}

/** Whether a value is not known before interpolation. */
export function hasExpression(node: TreeNode): boolean {
  return node.kind === 'scalar' && typeof node.value === 'string' && node.value.includes('${')
}

function interpolateScalar(node: ScalarNode, value: string, path: Path, options: InterpolateOptions): ScalarNode {
  let isResolved = true
  const result = value.replace(EXPRESSION, (expression: string, body: string | undefined) => {
    if (expression === '$$') return '$'
    const at = spanOf(expression, node, options.text)
    const found = ABOUT_INSTANCE.test(body ?? '')
      ? instanceValue(expression, body ?? '', path, at, options.error)
      : resolve(expression, body ?? '', formatPath(path), at, options)
    isResolved &&= found !== null
    return found ?? expression
  })
  return { ...node, value: result, origin: isResolved ? 'interpolated' : 'unresolved' }
}

function resolve(
  expression: string,
  body: string,
  where: string,
  at: Span | null,
  { lookup, error, missing }: InterpolateOptions,
): string | null {
  const [, name, operator, operand = ''] = BODY.exec(body) ?? []
  if (!expression.endsWith('}')) {
    error(at, `${where} has a \${ without its }`, 'write $$ for a dollar sign')
    return null
  }
  if (name === undefined || operand.includes('${')) {
    // Not the expression itself: it may be part of a secret.
    const why = name === undefined ? 'this ${…} names no variable' : 'a default cannot hold another ${…}'
    error(at, `${where}: ${why}`, 'write ${NAME}, ${NAME:-default} or ${NAME:?message}; $$ for a dollar sign')
    return null
  }
  const value = lookup(name)
  if (operator === undefined) {
    if (value !== undefined) return value
    error(at, `${where}: the variable ${name} is not set`, `set it, or write \${${name}:-} to allow that`)
    return null
  }
  if (value !== undefined && value !== '') return value
  if (operator === ':-') return operand
  missing(at, `${where}: the variable ${name} is not set${operand ? `: ${operand}` : ''}`, `set ${name}`)
  return null
}

function instanceValue(expression: string, body: string, path: Path, at: Span | null, error: Report): string | null {
  const where = formatPath(path)
  const [whole, before, after = '0'] = INSTANCE.exec(body) ?? []
  if (whole === undefined || !expression.endsWith('}')) {
    error(at, `${where}: ${expression} cannot be worked out`, 'write ${instance} or ${instance + 3000}')
    return null
  }
  if (mayDiffer(path)) return instanceMarker(Number(before ?? after))
  error(at, `${where} is the same for every instance, so it cannot hold ${expression}`, hintFor(path[2]))
  return null
}

const CHECKS = ['ready', 'readiness', 'health']

/** Whether a value can be another for each instance: variables, arguments, log files, and the addresses of checks. */
function mayDiffer([top, , key, index, inner]: Path): boolean {
  if (top !== 'apps') return false
  if (key === 'env') return inner === undefined || inner === 'value'
  if (key === 'args' || key === 'node_args') return true
  if (key === 'command') return index !== 0
  if (key === 'logs') return index === 'out' || index === 'err'
  return CHECKS.includes(String(key)) && (index === 'http' || index === 'tcp')
}

function hintFor(key: string | number | undefined): string {
  if (key === 'listen') {
    return "eco opens what is under listen, for all; an app that opens a port itself: env: { PORT: '${instance + 3000}' }"
  }
  if (key === 'hooks' || key === 'stop' || CHECKS.includes(String(key))) {
    return 'a command finds it in the variable ECO_INSTANCE; $${instance} is the text itself'
  }
  return 'it may stand in env, in arguments, and as the port of a check; $${instance} is the text itself'
}

/** The expression itself, where the value is written in one piece. */
function spanOf(expression: string, node: ScalarNode, text: string): Span | null {
  if (!node.at) return null
  const offset = text.slice(node.at.start, node.at.start + node.at.length).indexOf(expression)
  return offset < 0 ? node.at : { start: node.at.start + offset, length: expression.length }
}
