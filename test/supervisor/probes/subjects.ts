/** Instances to probe: real servers in processes of their own. */

import { readdirSync } from 'node:fs'
import { SPEC_DEFAULTS } from '../../../src/model/defaults.ts'
import type { Endpoint, HttpCheck, ProbeCheck } from '../../../src/model/spec.ts'
import { attempt, type AttemptResult, type ProbeSubject } from '../../../src/supervisor/probes/attempt.ts'
import { type Child, startNode } from '../children.ts'

export function subjectOf(pid: number, fields: Partial<ProbeSubject> = {}): ProbeSubject {
  return {
    pid,
    slot: 0,
    isStarting: true,
    cwd: process.cwd(),
    listen: [],
    privateFolder: null,
    attributes: SPEC_DEFAULTS.attributes,
    environment: () => ({ PATH: process.env['PATH'] ?? '' }),
    ...fields,
  }
}

export const tcp = (port: number): Extract<Endpoint, { type: 'tcp' }> => ({
  type: 'tcp',
  host: '127.0.0.1',
  port,
  perInstance: false,
})

export function httpCheck(endpoint: Endpoint, fields: Partial<HttpCheck> = {}): HttpCheck {
  const status = [{ from: 200, to: 399 }]
  return { type: 'http', endpoint, tls: false, path: '/healthz', headers: {}, status, body: null, ...fields }
}

export function ask(check: ProbeCheck, subject: ProbeSubject, timeoutMs = 3000): Promise<AttemptResult> {
  return attempt(check, subject, timeoutMs, new AbortController().signal)
}

/** A http server whose handler is the given code, on a port of its own. */
export async function httpServer(handler: string, listen = "0, '127.0.0.1'"): Promise<{ child: Child; port: number }> {
  const code = `const s = require('http').createServer((req, res) => { ${handler} })
    s.listen(${listen}, () => console.log(s.address().port ?? 0))`
  const child = startNode(code)
  return { child, port: Number(await child.line()) }
}

export const openFiles = (pid: number | 'self' = 'self'): number => readdirSync(`/proc/${pid}/fd`).length
