/**
 * Loaded into a real daemon (`node --require`) before its own code. It counts what the daemon does to the world: files
 * below ECO_HOME made, written, renamed and removed, processes started and signalled. Each is one point, written to the
 * trace. At the wanted one the daemon kills itself with SIGKILL, right before or right after it.
 *
 * CRASH_ARM: nothing counts before this file exists. CRASH_AT: the point, from 1; 0: none. CRASH_SIDE: before or after.
 * CRASH_TRACE: the file that gets a line for each point.
 */

const fs = require('node:fs')
const childProcess = require('node:child_process')

const { CRASH_ARM, CRASH_AT, CRASH_SIDE, CRASH_TRACE, ECO_HOME } = process.env
const wanted = Number(CRASH_AT)
const { existsSync, appendFileSync } = fs
const sendSignal = process.kill.bind(process)
const paths = new Map()
let count = 0
let isArmed = false

function point(what, act) {
  isArmed ||= existsSync(CRASH_ARM)
  if (!isArmed) return act()
  const isWanted = ++count === wanted
  appendFileSync(CRASH_TRACE, `${what}\n`)
  if (isWanted && CRASH_SIDE === 'before') die()
  const result = act()
  if (isWanted) die()
  return result
}

function die() {
  sendSignal(process.pid, 'SIGKILL')
  for (;;); // the signal is on its way
}

/** Its path below ECO_HOME, without what differs from run to run; null: none of the daemon's state. */
function subject(target) {
  const path = typeof target === 'number' ? paths.get(target) : String(target)
  if (!path?.startsWith(`${ECO_HOME}/`)) return null
  return path
    .slice(ECO_HOME.length + 1)
    .replace(/\.\d+\.tmp$/, '.tmp')
    .replace(/^(\.sock|\.takeover)\.\d+$/, '$1.PID')
}

const { openSync } = fs
fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest)
  paths.set(fd, String(path))
  return fd
}

for (const name of [
  'writeFileSync',
  'renameSync',
  'linkSync',
  'unlinkSync',
  'mkdirSync',
  'rmdirSync',
  'rmSync',
  'write',
]) {
  const original = fs[name]
  fs[name] = (target, ...rest) => {
    const path = subject(name === 'linkSync' ? rest[0] : target)
    const act = () => original.call(fs, target, ...rest)
    const isLog = path !== null && /\/logs(\/|$)/.test(path) && !/\/\.[^/]*\.rotating$/.test(path)
    if (path === null || isLog) return act()
    return point(`${name.replace('Sync', '')} ${path}`, act)
  }
}

// Into the middle of a file: where a rotation works on a log in place.
const { writeSync } = fs
fs.writeSync = (fd, bytes, offset, length, position) => {
  const act = () => writeSync.call(fs, fd, bytes, offset, length, position)
  return typeof position === 'number' ? point(`write ${length} bytes in place`, act) : act()
}

const { rename } = fs.promises
fs.promises.rename = async (from, to) => {
  const path = subject(to)
  return path === null ? rename(from, to) : point(`rename ${path}, durably`, () => fs.renameSync(from, to))
}

const { spawn } = childProcess
childProcess.spawn = (file, args, options) => {
  const run = /:([^:]+:\d+:\d+):/.exec(options?.env?.ECO_RUN ?? '')
  return point(`spawn ${run ? run[1] : file}`, () => spawn.call(childProcess, file, args, options))
}

process.kill = (pid, signal) => {
  if (signal === 0) return sendSignal(pid, signal)
  return point(`kill ${signal}`, () => sendSignal(pid, signal))
}
