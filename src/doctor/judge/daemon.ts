import { PROTOCOL } from '../../daemon/protocol.ts'
import { bytes, error, type Finding, ok, skipped, warning, word } from '../finding.ts'
import type { DaemonFacts, DaemonProcess } from '../look/daemon.ts'

const MUCH_MEMORY = 300 * 2 ** 20

/**
 * @param ours version of this command
 * @param live instances that run, as the system shows them
 * @param me effective uid
 */
export function judgeDaemon(facts: DaemonFacts, ours: string, live: number, me: number): Finding[] {
  const { contact, process, socket } = facts
  switch (contact.type) {
    case 'absent':
      return [absent(live, '')]
    case 'left':
      return [absent(live, `; ${socket} is one that a daemon left, and the next one replaces it`)]
    case 'silent':
      return [silent(socket, process)]
    case 'refuses':
      return [
        error('daemon.answer', contact.message, commandIn(contact.hint) ?? `ls -l ${word(socket)}`),
        ...about(process, me),
      ]
    case 'answers': {
      const { hello } = contact
      const what = `eco ${hello.version} answers, pid ${hello.pid}, since ${hello.started_at}`
      return [
        ok('daemon.answer', what),
        version(hello.version, hello.protocol, ours),
        ...about(process, me),
        ...writing(facts),
      ]
    }
  }
}

function absent(live: number, left: string): Finding {
  if (live === 0) return ok('daemon.answer', `none runs; one starts with the next command that needs it${left}`)
  const who = live === 1 ? '1 instance runs' : `${live} instances run`
  return warning('daemon.answer', `No daemon runs, and ${who} unsupervised${left}`, 'eco daemon start')
}

function silent(socket: string, process: DaemonProcess | null): Finding {
  const text = 'The daemon takes connections and does not answer within 2s'
  if (process === null)
    return error('daemon.answer', `${text}; who it is cannot be seen`, `sudo ss -xlp | grep ${word(socket)}`)
  const { pid, state } = process
  if (state === 'T' || state === 't')
    return error('daemon.answer', `${text}: pid ${pid} was stopped by a signal`, `kill -CONT ${pid}`)
  const what = `${text}: pid ${pid} hangs, or is very busy. Killed, it is replaced, and the apps go on`
  return error('daemon.answer', what, `kill -9 ${pid} && eco daemon start`)
}

function version(theirs: string, protocol: number, ours: string): Finding {
  if (theirs === ours && protocol === PROTOCOL)
    return ok('daemon.version', `it is of the version of this command, ${ours}`)
  const text = `the daemon is eco ${theirs}, this command is ${ours}`
  if (protocol === PROTOCOL) return warning('daemon.version', text, 'eco daemon upgrade')
  return error('daemon.version', `${text}, and they do not speak the same protocol`, 'eco daemon upgrade')
}

function about(process: DaemonProcess | null, me: number): Finding[] {
  if (process === null) return [skipped('daemon.process', 'its process cannot be seen from here')]
  return [owner(process, me), program(process), memory(process)]
}

function owner({ uid, pid }: DaemonProcess, me: number): Finding {
  if (uid === me) return ok('daemon.user', `it runs as this user (uid ${uid})`)
  return warning(
    'daemon.user',
    `the daemon, pid ${pid}, runs as uid ${uid}, and this is uid ${me}`,
    `ps -o user,args -p ${pid}`,
  )
}

function program({ node, isNodeGone, entry, isEntryGone }: DaemonProcess): Finding {
  const upgrade = 'eco daemon upgrade'
  if (isEntryGone)
    return warning(
      'daemon.program',
      `The daemon runs code that is gone, ${entry}: eco was upgraded or moved since`,
      upgrade,
    )
  if (isNodeGone)
    return warning(
      'daemon.program',
      `The daemon runs on a Node that is gone, ${node}: it was upgraded or removed since`,
      upgrade,
    )
  return node === null
    ? skipped('daemon.program', 'the Node it runs on cannot be seen by this user')
    : ok('daemon.program', `it runs on ${node}`)
}

function memory({ rssBytes }: DaemonProcess): Finding {
  if (rssBytes < MUCH_MEMORY) return ok('daemon.memory', `it uses ${bytes(rssBytes)}`)
  return warning(
    'daemon.memory',
    `The daemon uses ${bytes(rssBytes)}; a new one takes the apps over`,
    'eco daemon upgrade',
  )
}

/** What it cannot write, and scopes that it cannot use, in its own words: what they say and what to do. */
function writing({ listing }: DaemonFacts): Finding[] {
  if (listing === null) return [warning('daemon.listing', 'The daemon did not list its apps within 5s', 'eco ls')]
  const problems = listing.problems ?? []
  if (problems.length === 0) return [ok('daemon.state', 'it reads and writes its state')]
  return problems.map((problem) => {
    const [message = '', ...rest] = problem.split('\n').map((line) => line.trim())
    const hint = rest.find((line) => line.startsWith('hint: '))?.slice('hint: '.length) ?? null
    return error('daemon.state', message, commandIn(hint) ?? 'eco daemon logs', { details: rest })
  })
}

/** Hints are sentences with, mostly, a command in them. */
function commandIn(hint: string | null): string | null {
  if (hint === null) return null
  return /^eco [a-z].*$/.exec(hint)?.[0] ?? /"(eco [^"]+)"/.exec(hint)?.[1] ?? null
}
