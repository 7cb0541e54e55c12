import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { call, NoDaemon } from '../../src/daemon/client.ts'
import { PROTOCOL, type StreamEvent } from '../../src/daemon/protocol.ts'
import { createServer, type Handlers } from '../../src/daemon/server.ts'
import { EcoError } from '../../src/errors.ts'
import { socketPath } from '../../src/state/paths.ts'

let home: string
let server: net.Server
let finish: () => void

/** A daemon of which only the door is real. */
const handlers = {
  hello: () => ({ pid: 1, version: '9', protocol: PROTOCOL, started_at: '', home }),
  ls: (selection) => {
    if (selection.project === 'bug') throw new TypeError('a bug')
    throw new EcoError('UNKNOWN_TARGET', 'Nothing is applied.', { hint: 'eco apply', details: ['a', 'b'] })
  },
  verb: async (_, emit) => {
    emit({ type: 'scope', event: 'problem', at: 1, scope: 'shop/default', message: 'first' })
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    emit({ type: 'scope', event: 'problem', at: 2, scope: 'shop/default', message: 'second' })
    return { results: [] }
  },
} as Partial<Handlers> as Handlers

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'eco-server-'))
  server = createServer('9', handlers)
  await new Promise<void>((resolve) => server.listen(socketPath(home), resolve))
})

afterEach(() => {
  server.close()
  rmSync(home, { recursive: true })
})

const SELECTION = { selectors: [], project: null, environment: null }
const VERB = { ...SELECTION, verb: 'stop', instances: null, by: 'ann' } as const

/** Sends bytes as they are and reads all that comes back. */
function raw(chunks: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath(home))
    const [first = '', ...rest] = chunks
    socket.write(first)
    // Each in a packet of its own.
    rest.forEach((chunk, i) => setTimeout(() => socket.write(chunk), 5 * (i + 1)))
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.on('close', () => resolve(text))
  })
}

const errorOf = async (chunks: readonly (string | Buffer)[]): Promise<unknown> => {
  const { error } = JSON.parse(await raw(chunks)) as { error: unknown }
  return error
}

describe('a request', () => {
  test('is answered', async () => {
    expect(await call('hello', {}, { home })).toMatchObject({ version: '9' })
  })

  test('may come in pieces that cut its characters', async () => {
    const bytes = Buffer.from(`{"protocol":${PROTOCOL},"method":"hello","params":{"who":"Zoë"}}\n`)
    const at = bytes.indexOf('ë') + 1
    expect(await raw([bytes.subarray(0, 5), bytes.subarray(5, at), bytes.subarray(at)])).toContain('"version":"9"')
  })

  test('gets its events in order, and then its result', async () => {
    const events: unknown[] = []
    const onEvent = (event: StreamEvent): void => {
      events.push('message' in event ? event.message : event)
      finish()
    }
    expect(await call('verb', VERB, { home, onEvent })).toEqual({ results: [] })
    expect(events).toEqual(['first', 'second'])
  })

  test('goes on when its client leaves', async () => {
    const socket = net.connect(socketPath(home))
    socket.write(`${JSON.stringify({ protocol: PROTOCOL, method: 'verb', params: VERB })}\n`)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 20))
    finish()
    expect(await call('hello', {}, { home })).toMatchObject({ version: '9' })
  })
})

describe('a refusal', () => {
  test('arrives as the error it was', async () => {
    await expect(call('ls', SELECTION, { home })).rejects.toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_TARGET',
        message: 'Nothing is applied.',
        hint: 'eco apply',
        details: ['a', 'b'],
      }),
    )
  })

  test('a bug arrives as one, and is in the log', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const asked = call('ls', { ...SELECTION, project: 'bug' }, { home })
    await expect(asked).rejects.toThrow(expect.objectContaining({ code: 'INTERNAL', message: 'a bug' }))
    expect(log).toHaveBeenCalledOnce()
    log.mockRestore()
  })

  test.each([
    ['no JSON', '{oops\n', 'USAGE'],
    ['null', 'null\n', 'DAEMON_VERSION'],
    ['a number', '5\n', 'DAEMON_VERSION'],
    ['another protocol', `{"protocol":${PROTOCOL + 1},"method":"ls"}\n`, 'DAEMON_VERSION'],
    ['an unknown method', `{"protocol":${PROTOCOL},"method":"dance"}\n`, 'DAEMON_VERSION'],
    ['a method of every object', `{"protocol":${PROTOCOL},"method":"toString"}\n`, 'DAEMON_VERSION'],
  ])('%s', async (_, text, code) => {
    expect(await errorOf([text])).toMatchObject({ code })
  })

  test('hello is understood in any protocol', async () => {
    expect(await raw(['{"protocol":99,"method":"hello"}\n'])).toContain('"version":"9"')
  })

  test('a request without an end is refused at 64 MiB', async () => {
    const chunk = Buffer.alloc(8 * 1024 * 1024, 'x')
    expect(await errorOf(Array.from({ length: 9 }, () => chunk))).toMatchObject({
      message: 'The request is too large.',
    })
  })

  test('no daemon is told from one that hangs up, and from a home whose socket cannot be', async () => {
    await expect(call('hello', {}, { home: join(home, 'other') })).rejects.toThrow(NoDaemon)
    const rude = net.createServer((socket) => socket.end())
    const other = mkdtempSync(join(home, 'rude-'))
    await new Promise<void>((resolve) => rude.listen(socketPath(other), resolve))
    await expect(call('hello', {}, { home: other })).rejects.toThrow('The daemon ended before it answered.')
    rude.close()
    expect(() => call('hello', {}, { home: `/tmp/${'x'.repeat(120)}` })).toThrow('ECO_HOME is too long')
  })
})
