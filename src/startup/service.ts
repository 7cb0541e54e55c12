import type { Written } from './mark.ts'

export type InitName = 'systemd' | 'openrc' | 'launchd'

/** system: started with the machine; user: by the user's own systemd or launchd. */
export type ServiceScope = 'system' | 'user'

/** What is to be started at boot, and as whom. */
export interface Service extends Written {
  /** Without `.service`. */
  readonly name: string
  readonly scope: ServiceScope
  readonly user: string
  /** systemd's, where that is the init system. */
  readonly systemdVersion: number | null
}

/** What a daemon has ended with that was told to by `eco daemon stop`: the service manager must not start it again. */
export const ASKED_TO_END = 100
/** EX_CONFIG: trying again is vain until somebody has mended it. */
export const NEEDS_MENDING = 78

/**
 * What the service managers run: `sh -c SCRIPT eco NODE DAEMON`. What is missing is said where `systemctl status` shows
 * it; everything after that goes where `eco daemon logs` looks. The shell becomes the daemon: one process, one pid.
 */
export const START_SCRIPT = [
  'umask 077',
  `for file do [ -r "$file" ] || { echo "eco: $file is gone (Node or eco was upgraded or moved); run eco startup again" >&2; exit ${NEEDS_MENDING}; }; done`,
  'mkdir -p "$ECO_HOME"',
  'exec "$1" --max-semi-space-size=1 "$2" >>"$ECO_HOME/daemon.log" 2>&1',
].join('; ')

export function describeService({ user, scope }: Service): string {
  return scope === 'user'
    ? 'eco, keeps apps as ecosystem files say'
    : `eco, keeps the apps of ${user} as ecosystem files say`
}
