import http from 'node:http'

/** One request on a connection of its own. The body is parsed: the servers in fixtures answer JSON. */
export function get(target: number | string, path = '/'): Promise<{ status: number; body: any }> {
  const where = typeof target === 'number' ? { host: '127.0.0.1', port: target } : { socketPath: target }
  return new Promise((resolve, reject) => {
    const request = http.get({ ...where, path, agent: false, timeout: 5000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text || 'null') })
        } catch {
          resolve({ status: response.statusCode ?? 0, body: text })
        }
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 5s')))
    request.on('error', reject)
  })
}
