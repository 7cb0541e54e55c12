import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import { PLAIN_LOGS } from '../../src/logs/run-logs.ts'
import type { ReadyCheck } from '../../src/model/spec.ts'
import { watchReady } from '../../src/supervisor/ready-watch.ts'
import { eventually, startChild, startNode } from './children.ts'
import { subjectOf } from './probes/subjects.ts'

let dir: string
let log: string
let end: () => void = () => {}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'eco-ready-'))
  log = join(dir, 'out.log')
  writeFileSync(log, '')
})
afterEach(() => {
  end()
  rmSync(dir, { recursive: true })
})

function watch(check: ReadyCheck, pid = process.pid): string[] {
  const seen: string[] = []
  const subject = { ...subjectOf(pid), logs: [PLAIN_LOGS.tail({ path: log, offset: 0 })] }
  end = watchReady({ ...SPEC_DEFAULTS.ready, check }, subject, {
    ready: () => seen.push('ready'),
    waiting: (reason) => seen.push(reason),
  })
  return seen
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 250))
const lineLike = (pattern: string): ReadyCheck => ({ type: 'log', pattern, flags: '' })

describe('log', () => {
  test('a line after megabytes of bytes that are no text, without a newline', async () => {
    const seen = watch(lineLike('^server is up'))
    appendFileSync(log, Buffer.alloc(3 << 20, 0xfe))
    await soon()
    expect(seen).toEqual(['waiting for a log line like /^server is up/'])
    appendFileSync(log, '\nserver is up')
    await eventually(() => seen.at(-1) === 'ready')
  })

  test('a line in a file that was cut short', async () => {
    appendFileSync(log, 'starting\n'.repeat(100))
    const seen = watch(lineLike('up'))
    await soon()
    truncateSync(log)
    await soon()
    appendFileSync(log, 'up\n')
    await eventually(() => seen.at(-1) === 'ready')
  })

  test('a pattern that runs away is told, and holds nothing up', async () => {
    const seen = watch(lineLike('^(a+)+$'))
    appendFileSync(log, `${'a'.repeat(60)}!\n`)
    let longestMs = 0
    let last = performance.now()
    const beat = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last)
      last = performance.now()
    }, 5)
    await eventually(() => seen.some((reason) => reason.includes('takes too long to match')))
    clearInterval(beat)
    expect(longestMs).toBeLessThan(1000)
    appendFileSync(log, 'aaa\n')
    await eventually(() => seen.at(-1) === 'ready')
  })
})

describe('settled', () => {
  test('a process that sleeps is started', async () => {
    const seen = watch({ type: 'settled' }, startChild(['sleep', '30']).pid)
    await eventually(() => seen.includes('ready'))
  })

  test('one that is stopped is not, however long it lives, and the reason says so', async () => {
    const { pid } = startChild(['sleep', '30'])
    process.kill(pid, 'SIGSTOP')
    const seen = watch({ type: 'settled' }, pid)
    await new Promise((resolve) => setTimeout(resolve, 3500))
    expect(new Set(seen)).toEqual(new Set([`it is stopped, by SIGSTOP or a debugger; kill -CONT ${pid} lets it go on`]))
    process.kill(pid, 'SIGCONT')
    await eventually(() => seen.includes('ready'))
  })

  test('one whose main thread sleeps while another works is not', async () => {
    const code = `const { Worker } = require('worker_threads')
      new Worker('const end = Date.now() + 1500; while (Date.now() < end); setInterval(() => {}, 1e6)', { eval: true })
      console.log('up')`
    const child = startNode(code)
    await child.line()
    const started = Date.now()
    const seen = watch({ type: 'settled' }, child.pid)
    await eventually(() => seen.includes('ready'))
    expect(Date.now() - started).toBeGreaterThan(1000)
  })
})
