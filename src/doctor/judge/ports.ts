import { selectorOf } from '../applied-apps.ts'
import { count, error, type Finding, ok, warning, word } from '../finding.ts'
import type { AddressFacts, Stranger } from '../look/ports.ts'

/** @param isDaemonThere without one nothing is started, and that is told elsewhere */
export function judgePorts(addresses: readonly AddressFacts[], isDaemonThere: boolean): Finding[] {
  if (addresses.length === 0) return [ok('ports.declared', 'no app declares an address')]
  const findings = addresses.flatMap((address) => judgeAddress(address, isDaemonThere))
  const fine = addresses.filter(({ isServed }) => isServed).length
  if (findings.length > 0) return findings
  return [
    ok(
      'ports.declared',
      `${count(addresses.length, 'declared address', 'declared addresses')}, ${fine} of them served`,
    ),
  ]
}

function judgeAddress(address: AddressFacts, isDaemonThere: boolean): Finding[] {
  const { app, listen, isServed, strangers, file, isPrivileged } = address
  const what = listen.type === 'tcp' ? `port ${listen.port}` : listen.path
  const restart = `eco restart ${selectorOf(app)}`
  if (strangers.length > 0) return strangers.map((stranger) => judgeStranger(address, what, stranger))
  if (app.wanted === 0) return []
  if (isServed && listen.type === 'unix' && file !== 'socket') {
    const text = `The socket ${what} of ${app.name} was ${file === 'nothing' ? 'removed' : 'replaced by another file'}: nobody can connect any more`
    const aside = file === 'nothing' ? '' : `mv ${what} ${what}.old && `
    return [error('ports.socket_file', text, `${aside}${restart}`)]
  }
  if (isServed) return []
  if (isPrivileged && listen.type === 'tcp') {
    const text = `Port ${listen.port} of ${app.name} is for root, and the daemon is not: ports below 1024 need CAP_NET_BIND_SERVICE`
    return [error('ports.privileged', text, `sudo sysctl net.ipv4.ip_unprivileged_port_start=${listen.port}`)]
  }
  if (!isDaemonThere) return []
  const text = `Nobody listens on ${what}, which ${app.name} declares, although it is to run`
  return [warning('ports.unserved', text, `eco describe ${selectorOf(app)}`)]
}

function judgeStranger({ app, isServed }: AddressFacts, what: string, { pid, command, home }: Stranger): Finding {
  const who = pid === null ? 'a process of another user' : `pid ${pid} (${command ?? 'unknown command'})`
  const kill = pid === null ? `sudo ss -lxtnp | grep -F ${what.replace('port ', ':')}` : `kill ${pid}`
  // An app of another eco: which one, that one tells.
  const remedy = home === null ? kill : `ECO_HOME=${word(home)} eco ls`
  if (isServed) {
    const text = `${who} listens on ${what} beside ${app.name}, and gets a part of its connections`
    return warning('ports.shared', text, remedy)
  }
  const text = `${what} of ${app.name} is taken by ${who}, ${home === null ? 'which is no app of this ECO_HOME' : `for an app of the eco in ${home}`}`
  return app.wanted === 0
    ? warning('ports.foreign', `${text}; it cannot be started`, remedy)
    : error('ports.foreign', text, remedy)
}
