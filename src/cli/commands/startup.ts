/** `eco startup` and `eco unstartup`: the daemon, and with it the apps, come back when the machine does. */

import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { call, checkedPath } from '../../daemon/client.ts'
import { EcoError, EXIT, type ExitCode } from '../../errors.ts'
import { type Account, findAccount } from '../../startup/accounts.ts'
import { findInit, systemdVersion } from '../../startup/find-init.ts'
import { findServices, type FoundService } from '../../startup/find-services.ts'
import { install, planInstall } from '../../startup/install.ts'
import { isLingering } from '../../startup/linger.ts'
import { remove } from '../../startup/remove.ts'
import { runCommand } from '../../startup/run-command.ts'
import type { InitName, Service, ServiceScope } from '../../startup/service.ts'
import { stableNode } from '../../startup/stable-path.ts'
import { nameOfFile, type ServiceFile } from '../../startup/init-system.ts'
import { lastLines } from '../../logs/tail.ts'
import { daemonLogPath, ecoHome } from '../../state/paths.ts'
import { VERSION } from '../../version.ts'

const DAEMON_MS = 30_000

export interface StartupOptions {
  readonly user?: boolean
  readonly forUser?: string
  readonly name?: string
  readonly print?: boolean
  readonly json?: boolean
}

export async function startup(options: StartupOptions): Promise<ExitCode> {
  const init = requireInit(options.user === true)
  const account = accountFor(options)
  const home = homeOf(account, options)
  const scope: ServiceScope = options.user ? 'user' : 'system'
  const found = findServices(init, home, account)
  const name = options.name ?? nameOf(init, found, scope) ?? defaultName(scope, account)
  const service = describe(name, scope, account, home)
  const planned = planInstall(init, service, account)
  if (options.print) {
    process.stdout.write(planned.text)
    return EXIT.ok
  }
  if (scope === 'system' && !isRoot()) throw needsRoot('startup', account, home, options.name)
  refuseSecond(found, planned.file)
  const { file, done, leftToRoot } = install(planned)
  const pid = await daemonOf(file, home)
  const command = leftToRoot === null ? null : ['sudo', ...leftToRoot].join(' ')
  const { user, node, daemon } = service
  const json = {
    format_version: '1.0',
    init,
    scope,
    name,
    path: file.path,
    user,
    home,
    node,
    daemon,
    daemon_pid: pid,
    done,
    root_command: command,
  }
  const lines = done.length === 0 ? [`${file.title} is there, starts at boot and runs: nothing to do`] : done
  print(options, json, [
    ...lines,
    ...(command === null
      ? []
      : [`Root must still run this, or nothing comes back before ${user} logs in:`, `  ${command}`]),
  ])
  return command === null ? EXIT.ok : EXIT.needsPerson
}

/**
 * Waits until the daemon of the service answers; not every init system does.
 *
 * @returns its pid
 */
async function daemonOf({ title, status }: ServiceFile, home: string): Promise<number> {
  const deadline = Date.now() + DAEMON_MS
  for (;;) {
    const hello = await call('hello', {}, { home }).catch(() => null)
    if (hello?.unit?.name === title) return hello.pid
    if (Date.now() > deadline) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new EcoError('DAEMON_UNREACHABLE', `${title} was started, and its daemon does not answer.`, {
    details: lastLines(daemonLogPath(home), 8),
    hint: status.join(' '),
  })
}

export async function unstartup(options: StartupOptions): Promise<ExitCode> {
  const init = requireInit(options.user === true)
  const account = accountFor(options)
  const home = homeOf(account, options)
  const found = findServices(init, home, account).filter(({ file }) => {
    // root cannot speak with the systemd of somebody else.
    return isRoot() ? file.scope === 'system' : !options.user || file.scope === 'user'
  })
  if (!isRoot() && found.some(({ file }) => file.scope === 'system')) throw needsRoot('unstartup', account, home)
  const live = await liveInstances(home)
  const done = found.flatMap(remove)
  const linger = found.map((it) => unlinger(it, account.name, live)).find((it) => it !== null) ?? null
  if (linger?.isDone) done.push(linger.text)
  const lines = found.length === 0 ? [`Nothing of ${home} starts at boot: nothing to do`] : done
  const json = {
    format_version: '1.0',
    init,
    home,
    removed: found.map(({ file }) => file.path),
    done,
    note: linger?.isDone === false ? linger.text : null,
  }
  print(options, json, [...lines, ...(linger?.isDone === false ? [linger.text] : [])])
  return EXIT.ok
}

/** Turns lingering off again where eco turned it on; not below live apps, which would end with the user's systemd. */
function unlinger({ written, file }: FoundService, user: string, live: number | null) {
  if (!written.ownsLinger || file.scope !== 'user' || !isLingering(user)) return null
  const command = `loginctl disable-linger ${user}`
  if (live !== 0)
    return {
      isDone: false,
      text: `Lingering stays on: without it the apps end when ${user} logs out. "${command}" turns it off.`,
    }
  const isDone = runCommand(['loginctl', '--no-ask-password', 'disable-linger']).code === 0
  return {
    isDone,
    text: isDone ? `${user}'s systemd ends with the last session again` : `Lingering is still on: sudo ${command}`,
  }
}

/** null: no daemon says. */
async function liveInstances(home: string): Promise<number | null> {
  try {
    const { apps } = await call('ls', { selectors: [], project: null, environment: null }, { home })
    return apps.flatMap(({ instances }) => instances).filter(({ pid }) => pid !== null).length
  } catch {
    return null
  }
}

function requireInit(user: boolean): InitName {
  const init = findInit()
  if (init === null) {
    throw new EcoError('GUARD', 'This machine is run by no init system that eco knows (systemd, OpenRC, launchd).', {
      hint: 'in a container, "eco run ecosystem.yaml" is the command to start; else have your init run "eco daemon start"',
    })
  }
  if (init === 'openrc' && user) {
    throw new EcoError('USAGE', 'OpenRC has no services of users here.', { hint: 'leave --user out' })
  }
  return init
}

function accountFor({ user, forUser }: StartupOptions): Account {
  if (user && isRoot()) {
    throw new EcoError('USAGE', 'root needs no service of its own user: the one of the system does.', {
      hint: 'leave --user out, or run this as the user it is for',
    })
  }
  if (user && forUser !== undefined) {
    throw new EcoError('USAGE', '--user is for whoever runs it, --for-user is for a service of the system.', {
      hint: 'leave one of them out',
    })
  }
  const asked = forUser ?? String(isRoot() ? ownerOf(ecoHome()) : process.getuid?.())
  const account = findAccount(asked)
  if (account === null)
    throw new EcoError('UNKNOWN_TARGET', `There is no user ${asked} on this machine; nothing was done.`)
  return account
}

/** Under sudo, ECO_HOME may be that of somebody else: apps must not run as root because of that. */
function ownerOf(home: string): number {
  try {
    return statSync(home).uid
  } catch {
    return 0
  }
}

function homeOf(account: Account, { forUser }: StartupOptions): string {
  return forUser === undefined ? ecoHome() : ecoHome({ HOME: account.home, ECO_HOME: process.env['ECO_HOME'] })
}

/** That which it was given before. */
function nameOf(init: InitName, found: readonly FoundService[], scope: ServiceScope): string | null {
  const before = found.find(({ file }) => file.scope === scope)
  return before === undefined ? null : nameOfFile(init, basename(before.file.path))
}

/** Of two, either may be the first after a boot; the other one fails. */
function refuseSecond(found: readonly FoundService[], { path }: ServiceFile): void {
  const other = found.find(({ file }) => file.path !== path)
  if (other === undefined || found.some(({ file }) => file.path === path)) return
  throw new EcoError('GUARD', `${other.file.path} starts the daemon of this ECO_HOME already; nothing was done.`, {
    hint: `to have ${basename(path)} instead: "eco unstartup", then this again`,
  })
}

function defaultName(scope: ServiceScope, { name }: Account): string {
  return scope === 'user' || name === 'root' ? 'eco' : `eco-${name}`
}

function describe(name: string, scope: ServiceScope, account: Account, home: string): Omit<Service, 'ownsLinger'> {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) {
    throw new EcoError('USAGE', `A service cannot be called ${JSON.stringify(name)}.`, {
      hint: 'letters, digits, - _ and .',
    })
  }
  checkedPath(home)
  const node = stableNode(process.execPath)
  const daemon = join(dirname(eco()), 'daemon.cjs')
  for (const path of [home, node, daemon]) {
    if (/\p{Cc}/u.test(path))
      throw new EcoError('USAGE', `A service file cannot hold this path: ${JSON.stringify(path)}.`)
  }
  return { name, scope, user: account.name, version: VERSION, home, node, daemon, systemdVersion: systemdVersion() }
}

/** dist/eco.cjs, whichever way it was called. */
function eco(): string {
  return realpathSync(process.argv[1] ?? '')
}

/** eco runs nothing through sudo by itself: the operator sees the command, and pastes it. */
function needsRoot(command: string, account: Account, home: string, name?: string): EcoError {
  const options = ['--for-user', account.name, ...(name === undefined ? [] : ['--name', name])]
  const argv = ['sudo', 'env', `ECO_HOME=${home}`, stableNode(process.execPath), eco(), command, ...options]
  return new EcoError('GUARD', 'A service of the system needs root. Nothing was done; paste this:', {
    details: [argv.map(shellWord).join(' ')],
    hint: command === 'startup' ? 'or, without root: eco startup --user' : undefined,
  })
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function print({ json }: StartupOptions, data: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${lines.join('\n')}\n`)
}
