import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Listen } from '../../src/model/spec.ts'
import { lookUpUser } from '../../src/supervisor/account.ts'
import { listenKey, SocketRegister } from '../../src/supervisor/sockets.ts'
import { startChild, startNode } from './children.ts'
import { freePort } from '../support/ports.ts'

const API = 'shop/default/api'
const WEB = 'shop/default/web'

const HAS_PYTHON = spawnSync('python3', ['-c', '']).status === 0
if (!HAS_PYTHON) process.stderr.write('SKIPPED: no python3 here, so sockets were not tried with it\n')

let folder: string
let register: SocketRegister

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eco-sockets-'))
  register = new SocketRegister()
})

afterEach(() => {
  register.release(API)
  register.release(WEB)
  rmSync(folder, { recursive: true })
})

const tcp = (port: number, host: string | null = null): Extract<Listen, { type: 'tcp' }> => ({
  type: 'tcp',
  host,
  port,
})

/** Serves one greeting on an inherited descriptor, as an instance does. */
async function serveOn(fd: number): Promise<void> {
  const code = "const s = require('net').createServer((c) => c.end('hello')).listen({ fd: 3 }, () => console.log('up'))"
  await startNode(code, { stdio: ['ignore', 'pipe', 'inherit', fd] }).line()
}

function greeting(target: net.NetConnectOpts): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = net.connect(target)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('binding', () => {
  test('an address is bound once, and the app gets the same descriptor again', async () => {
    const listen = tcp(await freePort())
    const fd = register.acquire(listen, API)
    expect(register.acquire(listen, API)).toBe(fd)
    expect(register.ownerOf(listen)).toBe(API)
  })

  test('without a host it serves both families', async () => {
    const port = await freePort()
    await serveOn(register.acquire(tcp(port), API))
    expect(await greeting({ port, host: '127.0.0.1' })).toBe('hello')
    expect(await greeting({ port, host: '::1' })).toBe('hello')
  })

  test('with a host it serves that address only', async () => {
    const port = await freePort()
    await serveOn(register.acquire(tcp(port, '127.0.0.1'), API))
    expect(await greeting({ port, host: '127.0.0.1' })).toBe('hello')
    await expect(greeting({ port, host: '::1' })).rejects.toThrow(/ECONNREFUSED/)
  })

  test('serves an IPv6 address', async () => {
    const port = await freePort()
    await serveOn(register.acquire(tcp(port, '::1'), API))
    expect(await greeting({ port, host: '::1' })).toBe('hello')
  })

  test('localhost is 127.0.0.1, and other names are refused in words', async () => {
    const port = await freePort()
    await serveOn(register.acquire(tcp(port, 'localhost'), API))
    expect(await greeting({ port, host: '127.0.0.1' })).toBe('hello')
    expect(() => register.acquire(tcp(port, 'example.test'), WEB)).toThrow(/example\.test is not an IP address/)
  })

  test('an address that is not of this machine is refused', async () => {
    const port = await freePort()
    expect(() => register.acquire(tcp(port, '192.0.2.1'), API)).toThrow('Cannot bind port')
  })
})

describe('conflicts', () => {
  test.each([
    ['the same port', null, null],
    ['one address within all', null, '127.0.0.1'],
    ['all that hold one address', '127.0.0.1', null],
    ['0.0.0.0 and an address', '0.0.0.0', '127.0.0.1'],
    [':: and an address', '127.0.0.1', '::'],
    ['localhost and its address', 'localhost', '127.0.0.1'],
  ])('two apps: %s', async (_, first, second) => {
    const port = await freePort()
    register.acquire(tcp(port, first), API)
    expect(register.ownerOf(tcp(port, second))).toBe(API)
    expect(() => register.acquire(tcp(port, second), WEB)).toThrow(
      `${WEB} declares ${listenKey(tcp(port, second))}, which belongs to ${API}.`,
    )
  })

  test('two addresses of one port, and one address of two ports, are no conflict', async () => {
    const [port, other] = [await freePort(), await freePort()]
    register.acquire(tcp(port, '127.0.0.1'), API)
    expect(register.acquire(tcp(port, '127.0.0.2'), WEB)).toBeGreaterThan(0)
    expect(register.acquire(tcp(other, '127.0.0.1'), WEB)).toBeGreaterThan(0)
  })

  test.each(['127.0.0.1', '0.0.0.0', '::'])('a foreign process on %s is named with its pid', async (host) => {
    const code = `const s = require('net').createServer().listen(0, '${host}', () => console.log(s.address().port))`
    const foreign = startNode(code)
    const port = Number(await foreign.line())
    expect(() => register.acquire(tcp(port), API)).toThrow(`Port ${port} is in use by pid ${foreign.pid} (`)
    expect(() => register.acquire(tcp(port, '127.0.0.1'), API)).toThrow(expect.objectContaining({ code: 'GUARD' }))
    expect(register.ownerOf(tcp(port))).toBe(null)
  })
})

describe('release', () => {
  test('lets go of everything but what is kept', async () => {
    const [kept, gone] = [tcp(await freePort()), tcp(await freePort())]
    const fd = register.acquire(kept, API)
    register.acquire(gone, API)
    register.release(API, [kept])
    expect(register.ownerOf(gone)).toBe(null)
    expect(register.acquire(gone, WEB)).toBeGreaterThan(0)
    expect(register.acquire(kept, API)).toBe(fd)
  })

  test("leaves other apps' sockets alone", async () => {
    const listen = tcp(await freePort())
    register.acquire(listen, WEB)
    register.release(API)
    expect(register.ownerOf(listen)).toBe(WEB)
  })

  test('frees the port for others', async () => {
    const port = await freePort()
    register.acquire(tcp(port), API)
    register.release(API)
    const server = net.createServer()
    await new Promise<void>((resolve, reject) => server.listen(port, resolve).once('error', reject))
    expect(server.address()).toMatchObject({ port })
    server.close()
  })

  test('leaves no descriptor open', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const port = await freePort()
    const before = open()
    for (let i = 0; i < 20; i++) {
      register.acquire(tcp(port), API)
      register.release(API)
    }
    const foreign = startNode("const s = require('net').createServer().listen(0, () => console.log(s.address().port))")
    const taken = tcp(Number(await foreign.line()))
    for (let i = 0; i < 20; i++) expect(() => register.acquire(taken, API)).toThrow('is in use')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(open()).toBeLessThan(before + 10)
  })
})

describe('unix sockets', () => {
  const unix = (path: string): Listen => ({ type: 'unix', path })

  test('are served, and removed with the app', async () => {
    const path = join(folder, 'deep', 'api.sock')
    await serveOn(register.acquire(unix(path), API))
    expect(await greeting({ path })).toBe('hello')
    register.release(API)
    expect(() => statSync(path)).toThrow(/ENOENT/)
  })

  test('a stale socket is replaced', async () => {
    const path = join(folder, 'api.sock')
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', code])
    expect(statSync(path).isSocket()).toBe(true)
    await serveOn(register.acquire(unix(path), API))
    expect(await greeting({ path })).toBe('hello')
  })

  test.each(['file', 'symlink'])('a %s of the user is never removed', (kind) => {
    const path = join(folder, 'api.sock')
    const precious = join(folder, 'precious')
    writeFileSync(precious, 'precious')
    if (kind === 'file') writeFileSync(path, 'precious')
    else symlinkSync(precious, path)
    expect(() => register.acquire(unix(path), API)).toThrow(`Cannot bind ${path}: EADDRINUSE.`)
    expect(readFileSync(path, 'utf8')).toBe('precious')
  })

  test.each([0o000, 0o022, 0o077, 0o777])('have the declared mode whatever the umask is: %d', (umask) => {
    const path = join(folder, 'api.sock')
    const was = process.umask(umask)
    try {
      register.acquire({ type: 'unix', path, mode: 0o662 }, API)
    } finally {
      process.umask(was)
    }
    expect(modeOf(path)).toBe('662')
  })

  test('change their mode in place, and have that of the umask when none is declared any more', async () => {
    const path = join(folder, 'api.sock')
    const fd = register.acquire({ type: 'unix', path, mode: 0o600 }, API)
    await serveOn(fd)
    const { ino } = statSync(path)
    expect(register.acquire({ type: 'unix', path, mode: 0o666 }, API)).toBe(fd)
    expect(modeOf(path)).toBe('666')
    expect(statSync(path).ino).toBe(ino)
    expect(await greeting({ path })).toBe('hello')
    register.acquire(unix(path), API)
    expect(modeOf(path)).toBe((0o777 & ~process.umask()).toString(8))
    register.restore({ type: 'unix', path, mode: 0o640 }, WEB) // not its own
    expect(modeOf(path)).not.toBe('640')
    register.restore({ type: 'unix', path, mode: 0o640 }, API)
    expect(modeOf(path)).toBe('640')
  })

  test.skipIf(process.getuid?.() !== 0)('belong to the declared user and group, then to the daemon again', () => {
    const path = join(folder, 'api.sock')
    const owner = (): number[] => [statSync(path).uid, statSync(path).gid]
    register.acquire({ type: 'unix', path, user: 'nobody', group: '1234', mode: 0o660 }, API)
    expect(owner()).toEqual([lookUpUser('nobody')?.uid, 1234])
    expect(modeOf(path)).toBe('660')
    register.acquire({ type: 'unix', path, group: '1235' }, API)
    expect(owner()).toEqual([0, 1235])
    register.acquire(unix(path), API)
    expect(owner()).toEqual([0, process.getegid?.()])
  })

  test('an account that is not there leaves nothing bound', () => {
    const path = join(folder, 'api.sock')
    const listen: Listen = { type: 'unix', path, group: 'nosuchgroup' }
    expect(() => register.acquire(listen, API)).toThrow('is to belong to group nosuchgroup, which does not exist')
    expect(() => statSync(path)).toThrow(/ENOENT/)
    expect(register.ownerOf(listen)).toBe(null)
  })

  test('a path longer than the system allows is refused', () => {
    expect(() => register.acquire(unix(`/tmp/${'x'.repeat(103)}`), API)).toThrow('is too long')
  })
})

describe("as systemd's protocol wants them", () => {
  const ALONE = { hasSiblings: false, blocks: true }
  /** Accepts once, without listen(2), as programs for systemd do. */
  const ACCEPT_ONCE = `
import os, socket
server = socket.socket(fileno=3)
print('blocking' if os.get_blocking(3) else 'not blocking', flush=True)
connection, _ = server.accept()
connection.sendall(b'hello')`

  test.each(['tcp', 'unix'])('%s sockets listen before anybody accepts: connections wait', async (type) => {
    const path = join(folder, 'api.sock')
    const listen: Listen = type === 'tcp' ? tcp(await freePort()) : { type: 'unix', path }
    const target = listen.type === 'tcp' ? { port: listen.port } : { path: listen.path }
    const fd = register.acquire(listen, API)
    await expect(greeting(target)).rejects.toThrow('ECONNREFUSED')
    await register.readyForSystemd([listen], ALONE)
    const early = greeting(target)
    await serveOn(fd)
    expect(await early).toBe('hello')
  })

  test.skipIf(!HAS_PYTHON)('a program that only accepts serves what has waited', async () => {
    const listen = tcp(await freePort())
    const fd = register.acquire(listen, API)
    await register.readyForSystemd([listen], ALONE)
    const early = greeting({ port: listen.port })
    startChild(['python3', '-c', ACCEPT_ONCE], { stdio: ['ignore', 'pipe', 'inherit', fd] })
    expect(await early).toBe('hello')
  })

  test('whoever makes them listen takes no connection away from those who accept', async () => {
    const listen = tcp(await freePort())
    await serveOn(register.acquire(listen, API))
    let asked = 0
    let isOver = false
    const asking = (async () => {
      while (!isOver) {
        expect(await greeting({ port: listen.port, host: '127.0.0.1' })).toBe('hello')
        asked++
      }
    })()
    for (let backlog = 100; backlog < 110 || asked < 100; backlog++) {
      register.acquire({ ...listen, backlog }, API)
      await register.readyForSystemd([{ ...listen, backlog }], ALONE)
    }
    isOver = true
    await asking
  })

  test('the backlog is the declared one', async () => {
    const listen: Listen = { ...tcp(await freePort()), backlog: 7 }
    register.acquire(listen, API)
    await register.readyForSystemd([listen], ALONE)
    expect(backlogOf(listen)).toBe('7')
    const other: Listen = { ...listen, backlog: 9 }
    register.acquire(other, API)
    await register.readyForSystemd([other], ALONE)
    expect(backlogOf(listen)).toBe('9')
  })

  test.skipIf(!HAS_PYTHON)('calls on them block, unless others of the app have them as they need them', async () => {
    const listen = tcp(await freePort())
    const fd = register.give(listen, API)
    await register.readyForSystemd([listen], ALONE)
    const modeSeen = (): Promise<string> =>
      startChild(['python3', '-c', ACCEPT_ONCE], { stdio: ['ignore', 'pipe', 'inherit', fd] }).line()
    expect(await modeSeen()).toBe('blocking')
    await serveOn(fd) // Node makes it non-blocking
    expect(register.readyForSystemd([listen], { hasSiblings: true, blocks: true })).toBe(null)
    expect(await modeSeen()).toBe('not blocking')
    expect(register.readyForSystemd([listen], ALONE)).toBe(null)
    expect(await modeSeen()).toBe('blocking')
    expect(register.readyForSystemd([listen], { hasSiblings: false, blocks: false })).toBe(null)
    expect(await modeSeen()).toBe('not blocking')
  })
})

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

/** As the kernel has it. */
function backlogOf(listen: Listen): string | undefined {
  const port = listen.type === 'tcp' ? listen.port : 0
  const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
  return stdout.trim().split(/\s+/)[2]
}
