/** Several instances on one listening socket, as eco hands it to them. */

import net from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AttemptResult } from '../../../src/supervisor/probes/attempt.ts'
import { type Child, startNode } from '../children.ts'
import { ask, httpCheck, subjectOf, tcp } from './subjects.ts'

const SIBLINGS = 8
let handle: { fd: number; close(): void; getsockname(into: object): number }
let port: number
let siblings: Child[]

beforeEach(async () => {
  const internals = net as unknown as { _createServerHandle(host: string, port: number, type: 4): typeof handle }
  handle = internals._createServerHandle('127.0.0.1', 0, 4)
  const name: { port?: number } = {}
  handle.getsockname(name)
  port = name.port ?? 0
  const code = `const s = require('http').createServer((q, r) => r.end()).listen({ fd: 20 }, () => console.log('up'))`
  const stdio = ['ignore', 'pipe', 'inherit', ...Array.from({ length: 17 }, () => 'ignore'), handle.fd] as 'pipe'[]
  siblings = Array.from({ length: SIBLINGS }, () => startNode(code, { stdio }))
  await Promise.all(siblings.map((child) => child.line()))
})
afterEach(() => handle.close())

const askOne = (child: Child, isStarting: boolean, timeoutMs = 3000): Promise<AttemptResult> =>
  ask(httpCheck(tcp(port)), subjectOf(child.pid, { isStarting }), timeoutMs)

test.each([true, false])(
  'an attempt says of an instance what the instance itself answered (starting: %s)',
  async (isStarting) => {
    const seen: Record<string, number> = {}
    for (let round = 0; round < 2; round++) {
      for (const child of siblings) {
        const { type } = await askOne(child, isStarting)
        seen[type] = (seen[type] ?? 0) + 1
      }
    }
    expect(seen['failure']).toBe(undefined)
    expect(seen['success']).toBeGreaterThan(0)
  },
)

test.each([true, false])(
  'one that is stopped neither passes nor fails while others accept (starting: %s)',
  async (isStarting) => {
    const [hung] = siblings
    if (!hung) throw new Error('no sibling')
    process.kill(hung.pid, 'SIGSTOP')
    const result = await askOne(hung, isStarting)
    expect(result).toMatchObject({
      type: 'inconclusive',
      reason: expect.stringContaining('others who listen there too'),
    })
  },
)

test.each([true, false])('when all are stopped, each has failed (starting: %s)', async (isStarting) => {
  for (const { pid } of siblings) process.kill(pid, 'SIGSTOP')
  const [one] = siblings
  if (!one) throw new Error('no sibling')
  const result = await askOne(one, isStarting, 1000)
  expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('gave no answer within 1s') })
})
