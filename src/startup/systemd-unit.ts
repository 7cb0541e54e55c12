/** The systemd unit of the daemon. Why it has these settings: docs/adr/0021-boot.md. Pure. */

import { writeMark } from './mark.ts'
import { ASKED_TO_END, describeService, NEEDS_MENDING, type Service, START_SCRIPT } from './service.ts'

export function renderUnit(service: Service): string {
  const { name, scope, user, home, node, daemon } = service
  // Without it the daemon has to stay in the unit's own cgroup, where systemd puts it, so that there are no limits by cgroup.
  const hasSubgroups = service.systemdVersion !== null && service.systemdVersion >= 254
  const isSystem = scope === 'system'
  const systemctl = isSystem ? 'systemctl' : 'systemctl --user'
  const goingDown = `[ "$(${systemctl} is-system-running)" = stopping ] && kill -USR2 "$MAINPID"`
  const command = ['/bin/sh', '-c', START_SCRIPT, 'eco', node, daemon].map(quoteArgument).join(' ')
  return `# ${writeMark(service)}
# "eco startup" writes this file anew, "eco unstartup" removes it. Settings of your own: ${systemctl} edit ${name}

[Unit]
Description=${describeService(service).replaceAll('%', '%%')}
${
  isSystem
    ? `# Apps may bind addresses of the network.
Wants=network-online.target
After=network-online.target remote-fs.target
RequiresMountsFor=${quote(home)}
`
    : ''
}StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
${isSystem ? `User=${user}\n` : ''}WorkingDirectory=/
Environment=${quote(`ECO_HOME=${home}`)} ECO_UNIT=${scope}/${name}.service
ExecStart=${command}
Restart=always
RestartSec=500ms
# "eco daemon stop" means it; and a missing Node does not come back by trying.
RestartPreventExitStatus=${ASKED_TO_END} ${NEEDS_MENDING}
SuccessExitStatus=${ASKED_TO_END}
WatchdogSec=30s
WatchdogSignal=SIGKILL
# The daemon only: the apps go on, and the next daemon takes them over. But when the machine goes down, it is told to stop
# them first: in order, with the time that each of them has.
KillMode=process
ExecStop=${isSystem ? '+' : ''}-/bin/sh -c ${quoteArgument(goingDown)}
TimeoutStopSec=60s
# A cgroup for each app, beside that of the daemon.
Delegate=yes
${hasSubgroups ? 'DelegateSubgroup=supervisor\n' : ''}OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=524288

[Install]
WantedBy=${isSystem ? 'multi-user' : 'default'}.target
`
}

/** One word of a setting; `%` begins a specifier of systemd. */
function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
}

/** In a command, `$` begins a variable of systemd as well. */
function quoteArgument(text: string): string {
  return quote(text).replaceAll('$', '$$$$')
}
