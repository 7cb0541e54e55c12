import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EcoError } from '../../src/errors.ts'
import { NotifySockets } from '../../src/supervisor/notify-socket.ts'
import { eventually, startChild } from './children.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-notify-'))
})
afterEach(() => rmSync(home, { recursive: true }))

function open(sockets = new NotifySockets(home, import.meta.filename), name = 'shop/default/api#0.1') {
  const said: string[] = []
  const socket = sockets.open(name, null, { ready: () => said.push('ready'), status: (text) => said.push(text) })
  return { socket, said }
}

function send(path: string, message: string): void {
  const { DgramSocket } = createRequire(import.meta.filename)('node-unix-socket')
  const sender = new DgramSocket()
  const bytes = Buffer.from(message)
  sender.sendTo(bytes, 0, bytes.length, path, () => sender.close())
}

describe('what an app says', () => {
  test('is heard from Node', async () => {
    const { socket, said } = open()
    send(socket.path, 'STATUS=loading\u001b the model\nMAINPID=1\nBARRIER=1\nREADY=0')
    await eventually(() => said.length === 1)
    send(socket.path, 'READY=1\nSTATUS=serving')
    await eventually(() => said.length === 3)
    expect(said).toEqual(['loading  the model', 'ready', 'serving'])
    socket.close()
  })

  test('is heard from Python, however long it is', async () => {
    const { socket, said } = open()
    const code = `import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1\\nSTATUS=" + b"x" * 50000, os.environ["NOTIFY_SOCKET"])`
    startChild(['python3', '-c', code], { env: { ...process.env, NOTIFY_SOCKET: socket.path } })
    await eventually(() => said.length === 2)
    expect(said).toEqual(['ready', 'x'.repeat(200)])
    socket.close()
  })
})

describe('where a socket is', () => {
  test('in the home, for the own user only, and gone when it is closed', () => {
    const { socket } = open()
    expect(dirname(socket.path)).toBe(join(home, 'notify'))
    expect(statSync(socket.path).mode & 0o777).toBe(0o600)
    socket.close()
    expect(existsSync(socket.path)).toBe(false)
  })

  test('at the same path again, in the place of what a killed daemon left', async () => {
    const { socket: left } = open()
    const { socket, said } = open()
    expect(socket.path).toBe(left.path)
    send(socket.path, 'READY=1')
    await eventually(() => said.length === 1)
    expect(open(undefined, 'shop/default/api#1.1').socket.path).not.toBe(socket.path)
    socket.close()
  })

  test('in the folder of the system when the home is too long', () => {
    const { socket } = open(new NotifySockets(join(home, 'x'.repeat(100)), import.meta.filename))
    expect(dirname(dirname(socket.path))).toBe(tmpdir())
    expect(statSync(dirname(socket.path)).mode & 0o777).toBe(0o711)
    socket.close()
    expect(existsSync(dirname(socket.path))).toBe(false)
  })
})

test('without the package it says what to do', () => {
  const sockets = new NotifySockets(home, join(home, 'eco.cjs'))
  expect(() => sockets.require('api')).toThrow(EcoError)
  expect(() => sockets.require('api')).toThrow(/^api declares "ready: notify", and node-unix-socket cannot be loaded/)
})
