import type { Written } from './mark.ts'
import type { InitName, ServiceScope } from './service.ts'

export interface InspectedService {
  readonly scope: ServiceScope
  readonly title: string
  readonly path: string
  readonly written: Written
  /** The Node and the daemon that it names are there. */
  readonly hasNode: boolean
  readonly hasDaemon: boolean
  readonly isEnabled: boolean
  readonly isActive: boolean
  /** The command that shows more. */
  readonly status: string
}

export interface Inspection {
  readonly init: InitName | null
  /** Of the CLI that asks. */
  readonly version: string
  readonly user: string
  readonly isRoot: boolean
  readonly isLingering: boolean | null
  /** Those for the ECO_HOME that was asked about. */
  readonly services: readonly InspectedService[]
}

export interface Finding {
  /** problem: after the next boot, or the next end of the daemon, apps are missing. */
  readonly level: 'ok' | 'warning' | 'problem'
  readonly message: string
  /** The command that mends it; null: nothing is wrong. */
  readonly remedy: string | null
}

/** What is wrong with how the daemon is started at boot. Pure. */
export function judgeUnits(inspection: Inspection): readonly Finding[] {
  const { init, services, isRoot } = inspection
  if (init === null) return [ok('no init system that eco knows: whatever starts this machine starts the daemon')]
  if (services.length === 0) {
    return [
      warning(
        'no service of "eco startup" starts the daemon at boot, and with it the apps',
        isRoot ? 'eco startup' : 'eco startup --user',
      ),
    ]
  }
  const findings = services.flatMap((service) => judgeService(service, inspection))
  const twice =
    services.length > 1
      ? [warning(`${services.map(({ path }) => path).join(' and ')} start the same daemon`, 'eco unstartup')]
      : []
  const all = [...findings, ...twice]
  return all.length > 0 ? all : services.map(({ title, path }) => ok(`${title} starts the daemon at boot (${path})`))
}

function judgeService(service: InspectedService, { version, user, isLingering }: Inspection): Finding[] {
  const { scope, title, written, hasNode, hasDaemon, isEnabled, isActive, status } = service
  const again = scope === 'user' ? 'eco startup --user' : 'eco startup'
  const missing = [...(hasNode ? [] : [written.node]), ...(hasDaemon ? [] : [written.daemon])]
  if (missing.length > 0)
    return [problem(`${title} starts ${missing.join(' and ')}, which is gone (was Node or eco upgraded?)`, again)]
  return [
    ...(isEnabled ? [] : [problem(`${title} is not started at boot`, again)]),
    ...(scope === 'user' && isLingering === false
      ? [
          problem(
            `${title} starts only when ${user} logs in, and its apps end with the last logout`,
            `sudo loginctl enable-linger ${user}`,
          ),
        ]
      : []),
    ...(isActive ? [] : [warning(`${title} does not run; "${status}" says why`, again)]),
    ...(written.version === version
      ? []
      : [warning(`${title} was written by eco ${written.version}, this is ${version}`, again)]),
  ]
}

function ok(message: string): Finding {
  return { level: 'ok', message, remedy: null }
}

function warning(message: string, remedy: string): Finding {
  return { level: 'warning', message, remedy }
}

function problem(message: string, remedy: string): Finding {
  return { level: 'problem', message, remedy }
}
