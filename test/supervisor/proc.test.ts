import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bootId,
  commandOf,
  identify,
  inTree,
  isAlive,
  listeningInodes,
  parseStat,
  portHolder,
  readStat,
  sessionMembers,
  socketHolders,
} from '../../src/supervisor/proc.ts'
import { eventually, startChild, startNode } from './children.ts'

describe('parseStat', () => {
  const line = (name: string, tail: string): Uint8Array => Buffer.from(`4242 (${name}) ${tail}\n`)
  const TAIL = 'S 17 4242 4240 0 -1 4194560 100 0 0 0 70 30 5 6 20 0 11 0 987654 1000000 2048 18446744073709551615'
  const parse = (name: string, tail = TAIL): ReturnType<typeof parseStat> => {
    const bytes = line(name, tail)
    return parseStat(4242, bytes, bytes.length)
  }
  const EXPECTED = {
    pid: 4242,
    state: 'S',
    ppid: 17,
    pgrp: 4242,
    session: 4240,
    ticks: 100,
    childTicks: 11,
    startTime: 987_654,
    rssPages: 2048,
  }

  test.each(['node', 'tmux: server', 'a) S 1 (b', ')', '((', '', ') R 1 1 1 1 1'])(
    'reads past the name "%s"',
    (name) => {
      expect(parse(name)).toEqual(EXPECTED)
    },
  )

  test('reads past any name', () => {
    const names = fc.string({ unit: 'binary', maxLength: 15 })
    fc.assert(
      fc.property(names, (name) => {
        expect(parse(name)).toEqual(EXPECTED)
      }),
    )
  })

  test('reads negative numbers', () => {
    expect(parse('x', TAIL.replace('17 4242', '-1 -1'))).toMatchObject({ ppid: -1, pgrp: -1 })
  })

  test('is null for a line without a name', () => {
    const bytes = Buffer.from('garbage')
    expect(parseStat(1, bytes, bytes.length)).toBe(null)
  })
})

describe('real processes', () => {
  test('readStat knows this process, and nothing of one that is not there', () => {
    expect(readStat(process.pid)).toMatchObject({ pid: process.pid, ppid: process.ppid })
    expect(readStat(2 ** 22 + 1)).toBe(null)
  })

  test('a process is alive until it ends, also as a zombie that nobody has reaped', async () => {
    // The shell never waits for its child: it stays a zombie.
    const shell = startChild(['/bin/sh', '-c', 'sleep 30 & echo $!; exec sleep 30'])
    const pid = Number(await shell.line())
    const identity = identify(pid)
    if (!identity) throw new Error('the child is not there')
    expect(isAlive(identity)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await eventually(() => readStat(pid)?.state === 'Z')
    expect(isAlive(identity)).toBe(false)
  })

  test('another start time or another boot is another process', () => {
    const identity = identify(process.pid)
    if (!identity) throw new Error('no /proc')
    expect(identity.bootId).toBe(bootId())
    expect(isAlive(identity)).toBe(true)
    expect(isAlive({ ...identity, startTime: identity.startTime + 1 })).toBe(false)
    expect(isAlive({ ...identity, bootId: 'another' })).toBe(false)
  })

  test('a session has its leader, its children and those that made a group of their own', async () => {
    const leader = startChild(['/bin/bash', '-c', 'set -m; sleep 30 & echo $!; wait'])
    const job = Number(await leader.line())
    expect(readStat(job)?.pgrp).toBe(job)
    expect(new Set(sessionMembers(leader.pid, false))).toEqual(new Set([leader.pid, job]))
    leader.process.kill('SIGKILL')
    await eventually(() => readStat(leader.pid) === null)
    expect(sessionMembers(leader.pid, true)).toEqual([job])
    process.kill(job, 'SIGKILL')
    await eventually(() => sessionMembers(leader.pid, true).length === 0)
  })

  test('a stranger that got the pid of an ended leader is not taken for the session', () => {
    const stranger = startChild(['/bin/sh', '-c', 'sleep 30'])
    expect(sessionMembers(stranger.pid, true)).toEqual([])
  })

  test('a tree is a process, what descends from it, and what is in its session', async () => {
    const leader = startChild(['/bin/sh', '-c', 'setsid sleep 30 & echo $!; wait'])
    const away = Number(await leader.line())
    expect(inTree(leader.pid, leader.pid)).toBe(true)
    expect(inTree(away, leader.pid)).toBe(true)
    expect(inTree(leader.pid, process.pid)).toBe(true)
    expect(inTree(process.pid, leader.pid)).toBe(false)
    expect(inTree(2 ** 22 + 1, leader.pid)).toBe(false)
  })

  test('commands are cut to eighty characters', () => {
    const child = startChild(['/bin/sh', '-c', `sleep 30 # ${'x'.repeat(200)}`])
    expect(commandOf(child.pid)).toMatch(/^\/bin\/sh -c sleep 30 # x{50,}…$/)
    expect(commandOf(child.pid)).toHaveLength(80)
    expect(commandOf(2 ** 22 + 1)).toBe(null)
  })
})

describe('sockets', () => {
  const SERVER = "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))"

  test('the holder of a listening port is named with its command', async () => {
    const server = startNode(SERVER)
    const port = Number(await server.line())
    const [inode = ''] = listeningInodes(port)
    expect(socketHolders(inode)).toEqual([server.pid])
    expect(portHolder(port)).toEqual({ pid: server.pid, command: commandOf(server.pid) })
  })

  test('a port nobody listens on has no holder', () => {
    expect(listeningInodes(1)).toEqual([])
    expect(portHolder(1)).toEqual({ pid: null, command: null })
  })
})
