import { expect, test } from 'vitest'
import type { Endpoint, Listen } from '../../../src/model/spec.ts'
import { listenServing } from '../../../src/supervisor/probes/private-path.ts'

const at = (host: string, port: number): Endpoint => ({ type: 'tcp', host, port, perInstance: false })
const on = (host: string | null, port: number): Listen => ({ type: 'tcp', host, port })
const LISTEN: readonly Listen[] = [
  on(null, 3000),
  on('127.0.0.1', 3001),
  on('::1', 3001),
  on('0.0.0.0', 3002),
  { type: 'unix', path: '/run/app.sock' },
]

test.each<[Endpoint, number]>([
  [at('127.0.0.1', 3000), 0],
  [at('localhost', 3000), 0],
  [at('[::1]', 3000), 0],
  [at('0.0.0.0', 3000), 0],
  [at('example.com', 3000), -1],
  [at('192.0.2.1', 3000), -1],
  [at('127.0.0.1', 3001), 1],
  [at('localhost', 3001), 1],
  [at('[::1]', 3001), 2],
  [at('127.0.0.2', 3001), -1],
  [at('127.0.0.1', 3002), 3],
  [at('127.0.0.1', 4000), -1],
  [{ type: 'unix', path: '/run/app.sock' }, 4],
  [{ type: 'unix', path: '/run/other.sock' }, -1],
])('%j ends at address %i of listen', (endpoint, index) => {
  expect(listenServing(endpoint, LISTEN)).toBe(index)
})
