import { error, fewOf, type Finding, ok, warning } from '../finding.ts'
import type { NodeFacts } from '../look/node.ts'

/** @param notifying apps with `ready: notify` @param listening apps that share sockets of eco */
export function judgeNode(
  facts: NodeFacts,
  notifying: readonly string[],
  listening: readonly string[],
  me: number,
): Finding[] {
  return [judgeVersion(facts), judgeDatagrams(facts, notifying), judgeRegain(facts, listening, me)]
}

function judgeVersion({ version, path }: NodeFacts): Finding {
  const text = `Node ${version}, ${path}`
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isBefore = (m: number, n: number): boolean => major < m || (major === m && minor < n)
  if (isBefore(20, 19) || major === 21)
    return error('node.version', `${text}: eco needs 20.19, or 22 and later`, 'nvm install 24')
  if (isBefore(22, 12))
    return ok('node.version', `${text}; from 22.12 on a port can be bound a second time after a crash of the daemon`)
  return ok('node.version', text)
}

function judgeDatagrams({ noDatagrams }: NodeFacts, notifying: readonly string[]): Finding {
  if (noDatagrams === null) return ok('node.datagrams', 'node-unix-socket is there, for ready: notify')
  const text = `node-unix-socket cannot be loaded: ${noDatagrams}`
  if (notifying.length === 0)
    return ok('node.datagrams', 'node-unix-socket is not there; no app needs it (ready: notify)')
  return error(
    'node.datagrams',
    `${text}. Apps with ready: notify cannot start`,
    'npm install --global --include=optional eco-orchestrator',
    {
      details: fewOf(notifying),
    },
  )
}

/** After a crash of the daemon the next one needs the sockets, which then only the instances have. */
function judgeRegain(
  { version, interpreters, ptraceScope }: NodeFacts,
  listening: readonly string[],
  me: number,
): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (listening.length === 0) return ok('node.sockets_after_crash', 'no app shares a socket of eco')
  if (major > 22 || (major === 22 && minor >= 12))
    return ok('node.sockets_after_crash', 'after a crash of the daemon the next one binds the ports beside the apps')
  const cannot =
    'After a crash of the daemon an app that is not on Node keeps serving, but gets no further instances until it is restarted'
  const details = fewOf(listening)
  if (interpreters.length === 0)
    return warning(
      'node.sockets_after_crash',
      `${cannot}: there is neither perl nor python3 to take its sockets back with, nor Node 22.12`,
      'nvm install 24',
      { details },
    )
  if (me !== 0 && (ptraceScope ?? 0) > 0)
    return warning(
      'node.sockets_after_crash',
      `${cannot}: kernel.yama.ptrace_scope is ${ptraceScope}, and Node is older than 22.12`,
      'nvm install 24',
      { details },
    )
  return ok(
    'node.sockets_after_crash',
    `after a crash of the daemon ${interpreters[0]} can take the sockets back from the apps`,
  )
}
