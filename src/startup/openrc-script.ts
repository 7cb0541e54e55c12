/** The OpenRC service of the daemon, kept by supervise-daemon. Pure. */

import { writeMark } from './mark.ts'
import { describeService, type Service, START_SCRIPT } from './service.ts'

/** How long the apps may take to stop when the machine goes down. */
const SHUTDOWN_S = 300

/**
 * supervise-daemon starts the daemon again when it dies, and leaves the apps alone, which are sessions of their own. When
 * the machine goes down, SIGUSR2 makes the daemon stop its apps in order before it ends.
 */
export function renderOpenrc(service: Service): string {
  const { name, user, home, node, daemon } = service
  const args = ['-c', START_SCRIPT, 'eco', node, daemon].map(quote).join(' ')
  return `#!/sbin/openrc-run
# ${writeMark(service)}
# "eco startup" writes this file anew, "eco unstartup" removes it.

description=${quote(describeService(service))}
supervisor=supervise-daemon
command=/bin/sh
command_args=${quote(args)}
command_user=${quote(user)}
pidfile=${quote(`/run/${name}.pid`)}
directory=/
respawn_delay=1
respawn_max=0
export ECO_HOME=${quote(home)}
export ECO_UNIT=${quote(`system/${name}`)}
retry=SIGTERM/${SHUTDOWN_S}/SIGKILL/5

depend() {
	use net dns logger
	after localmount bootmisc
}

stop_pre() {
	# Where openrc stands on sysvinit it does not say so itself, but the runlevel does.
	case "$RC_GOINGDOWN $(runlevel 2>/dev/null)" in YES*|*[06]) ;; *) return 0 ;; esac
	kill -USR2 "$(service_get_value child_pid)"
	return 0
}
`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
