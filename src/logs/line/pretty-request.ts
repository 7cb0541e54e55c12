import { isFields, type Fields } from './json-line.ts'

/** Of a request and its answer what nobody looks for in a log of one line per request; `--json` shows it. */
const LEFT_OUT = new Set(['method', 'url', 'statusCode', 'status', 'headers', 'header', 'remotePort'])

/**
 * `GET /orders 200 12ms` of the fields that pino-http, bunyan and express-winston write. What it says is taken out of
 * `rest`; what it does not (an id, an address, parameters) stays there, as `req.id`.
 *
 * @returns the empty text when there is no such field
 */
export function requestText(rest: Map<string, unknown>): string {
  const parts: string[] = []
  const request = rest.get('req')
  if (isFields(request) && typeof request['method'] === 'string' && typeof request['url'] === 'string') {
    parts.push(request['method'], request['url'])
    replace(rest, 'req', request)
  }
  const response = rest.get('res')
  const status = isFields(response) ? (response['statusCode'] ?? response['status']) : null
  if (isFields(response) && (typeof status === 'number' || status === null)) {
    if (status !== null) parts.push(String(status))
    replace(rest, 'res', response)
  }
  const took = rest.get('responseTime')
  if (parts.length > 0 && typeof took === 'number') {
    parts.push(`${took}ms`)
    rest.delete('responseTime')
  }
  return parts.join(' ')
}

function replace(rest: Map<string, unknown>, key: string, fields: Fields): void {
  rest.delete(key)
  for (const [name, value] of Object.entries(fields)) {
    const empty = value === null || value === '' || (isFields(value) && Object.keys(value).length === 0)
    if (!LEFT_OUT.has(name) && !empty) rest.set(`${key}.${name}`, value)
  }
}
