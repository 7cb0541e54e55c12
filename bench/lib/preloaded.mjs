/**
 * Spawns copies of an instance that eco runs, without a daemon in between: with its environment and with files at the
 * same descriptors, sockets where it has sockets that listen or may. What the preload needs is found and not known here,
 * so the copy stays true when eco changes how it hands things over.
 */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { read } from './proc.mjs'

const FIRST_OWN_FD = 3
/** What eco adds. Without PORT the app takes any port: the instances hold theirs. */
const OF_ECO = /^(ECO_|NODE_OPTIONS$|PORT$)/

/**
 * @param {number} pid of the instance, running
 * @param {string[]} argv
 */
export function copyOf(pid, argv) {
  const environment = Object.fromEntries(
    read(pid, 'environ')
      .split('\0')
      .filter(Boolean)
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
  const bare = Object.fromEntries(Object.entries(environment).filter(([name]) => !OF_ECO.test(name)))
  const inherited = handedOver(pid)
  return {
    withPreload: () => startUpMs(argv, environment, stdioLike(inherited)),
    without: () => startUpMs(argv, bare, ['ignore', 'pipe', 'inherit']),
  }
}

/** From the spawn until the copy says when it was up: it prints process.hrtime.bigint(), which is this clock too. */
async function startUpMs(argv, env, stdio) {
  const started = process.hrtime.bigint()
  const child = spawn(argv[0], argv.slice(1), { env, stdio })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  let text = ''
  for await (const chunk of child.stdout) if ((text += chunk).endsWith('\n')) break
  clearTimeout(timer)
  child.kill('SIGKILL')
  await ended
  if (text === '') throw new Error('a copy of an instance did not come up within 10 s')
  return Number(BigInt(text) - started) / 1e6
}

/** Its descriptors that are sockets of eco's or of the machine, by number: those that Node opens itself come and go. */
function handedOver(pid) {
  const bound = boundSockets()
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => ({ fd: Number(fd), inode: /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] }))
    .filter(({ fd, inode }) => fd >= FIRST_OWN_FD && inode !== undefined && bound.has(inode))
    .map(({ fd }) => fd)
}

function boundSockets() {
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/net/${file}`, 'utf8').split('\n').slice(1))
  return new Set(lines.map((line) => line.trim().split(/\s+/)[9]))
}

/** A new socket for each, bound to any port: the app finds it by its descriptor. */
function stdioLike(fds) {
  const stdio = Array.from({ length: Math.max(FIRST_OWN_FD, ...fds.map((fd) => fd + 1)) }, () => 'ignore')
  stdio[1] = 'pipe'
  stdio[2] = 'inherit'
  for (const fd of fds) stdio[fd] = boundFd()
  return stdio
}

const handles = []

function boundFd() {
  if (handles.length === 0) {
    // The documented ways to a socket listen at once, or are of Node 24: this is what they use.
    const handle = net._createServerHandle('127.0.0.1', 0, 4, -1, 0)
    if (typeof handle === 'number') throw new Error(`no socket could be bound: ${handle}`)
    handles.push(handle)
  }
  return handles[0].fd
}
