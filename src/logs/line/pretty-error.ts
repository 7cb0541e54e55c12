import { isFields } from './json-line.ts'

const ERROR_KEYS = ['err', 'error', 'exception', 'reason']
const STACK_KEYS = [
  'stack',
  'stack_trace',
  'stackTrace',
  'stacktrace',
  'error.stack_trace',
  'exc_info',
  'exception',
  'traceback',
  'error',
  'err',
  'errorVerbose',
  'trace',
]

/**
 * Takes the errors out of `rest`.
 *
 * @returns stacks as lines, and what else the errors say as fields (`err.code`). The message of an error is said once:
 *   its stack begins with it
 */
export function errorParts(
  rest: Map<string, unknown>,
  message: string,
): { lines: string[]; fields: [string, unknown][] } {
  const lines: string[] = []
  const fields: [string, unknown][] = []
  for (const key of ERROR_KEYS) {
    const error = rest.get(key)
    if (!isFields(error)) continue
    const stack = ['stack', 'stack_trace', 'stacktrace'].find((name) => typeof error[name] === 'string')
    if (stack === undefined && typeof error['message'] !== 'string') continue
    rest.delete(key)
    const text = stack === undefined ? '' : String(error[stack])
    lines.push(...linesOf(text))
    for (const [name, value] of Object.entries(error)) {
      if (name === stack || value === null || value === undefined) continue
      const said = ['message', 'type', 'name'].includes(name) && typeof value === 'string'
      if (said && (text.includes(value) || (text !== '' && value === 'Error') || message === value)) continue
      fields.push([`${key}.${name}`, value])
    }
  }
  for (const key of STACK_KEYS) {
    const stack = rest.get(key)
    if (typeof stack !== 'string' || !stack.includes('\n')) continue
    rest.delete(key)
    lines.push(...linesOf(stack))
  }
  return { lines, fields }
}

function linesOf(stack: string): string[] {
  return stack === '' ? [] : stack.trimEnd().split(/\r?\n/)
}
