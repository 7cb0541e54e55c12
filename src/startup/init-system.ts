/** What each init system calls things: where a service file lies, and by which commands it is switched. Pure. */

import { join } from 'node:path'
import type { InitName, ServiceScope } from './service.ts'

type Argv = readonly string[]

/** One service of an init system. Commands are argv; a step is over when all of its commands are. */
export interface ServiceFile {
  readonly init: InitName
  readonly scope: ServiceScope
  /** As the init system says it: `eco.service`. */
  readonly title: string
  readonly path: string
  readonly mode: number
  /** After the file has changed. */
  readonly reload: readonly Argv[]
  readonly enable: readonly Argv[]
  readonly start: readonly Argv[]
  /** Its daemon only: the apps go on. */
  readonly restart: readonly Argv[]
  readonly stop: readonly Argv[]
  readonly disable: readonly Argv[]
  /** Succeeds when it is started at boot. null: a file that is there is enabled. */
  readonly isEnabled: Argv | null
  readonly isActive: Argv
  /** What to look at when it does not start. */
  readonly status: Argv
}

export interface Owner {
  readonly uid: number
  /** The home folder. */
  readonly home: string
}

export function serviceFile(init: InitName, scope: ServiceScope, name: string, owner: Owner): ServiceFile {
  switch (init) {
    case 'systemd':
      return systemd(scope, name, owner)
    case 'openrc':
      return openrc(name)
    case 'launchd':
      return launchd(scope, name, owner)
  }
}

/** Folders in which service files of eco can lie. */
export function serviceFolder(init: InitName, scope: ServiceScope, { home }: Owner): string {
  switch (init) {
    case 'systemd':
      return scope === 'system' ? '/etc/systemd/system' : join(home, '.config/systemd/user')
    case 'openrc':
      return '/etc/init.d'
    case 'launchd':
      return scope === 'system' ? '/Library/LaunchDaemons' : join(home, 'Library/LaunchAgents')
  }
}

/** The name of a service by that of its file; null: it is no file of a service. */
export function nameOfFile(init: InitName, file: string): string | null {
  const [before, after] = { systemd: ['', '.service'], openrc: ['', ''], launchd: ['eco.', '.plist'] }[init]
  if (before === undefined || after === undefined || !file.startsWith(before) || !file.endsWith(after)) return null
  return file.slice(before.length, file.length - after.length)
}

function systemd(scope: ServiceScope, name: string, owner: Owner): ServiceFile {
  const systemctl = scope === 'user' ? ['systemctl', '--user', '--no-ask-password'] : ['systemctl', '--no-ask-password']
  const title = `${name}.service`
  return {
    init: 'systemd',
    scope,
    title,
    path: join(serviceFolder('systemd', scope, owner), title),
    mode: 0o644,
    reload: [[...systemctl, 'daemon-reload']],
    enable: [[...systemctl, 'enable', '--quiet', title]],
    start: [[...systemctl, 'start', title]],
    restart: [[...systemctl, 'restart', title]],
    stop: [[...systemctl, 'stop', title]],
    disable: [[...systemctl, 'disable', '--quiet', title]],
    isEnabled: [...systemctl, 'is-enabled', '--quiet', title],
    isActive: [...systemctl, 'is-active', '--quiet', title],
    status: [...systemctl, 'status', '--no-pager', '--lines=5', title],
  }
}

function openrc(name: string): ServiceFile {
  return {
    init: 'openrc',
    scope: 'system',
    title: name,
    path: join('/etc/init.d', name),
    mode: 0o755,
    reload: [],
    enable: [['rc-update', '--quiet', 'add', name, 'default']],
    start: [['rc-service', name, 'start']],
    restart: [['rc-service', name, 'restart']],
    stop: [['rc-service', '--ifstarted', name, 'stop']],
    disable: [['rc-update', '--quiet', 'delete', name, 'default']],
    isEnabled: ['test', '-e', join('/etc/runlevels/default', name)],
    isActive: ['rc-service', '--quiet', name, 'status'],
    status: ['rc-service', name, 'status'],
  }
}

function launchd(scope: ServiceScope, name: string, owner: Owner): ServiceFile {
  const title = `eco.${name}`
  const path = join(serviceFolder('launchd', scope, owner), `${title}.plist`)
  const domain = scope === 'system' ? 'system' : `gui/${owner.uid}`
  return {
    init: 'launchd',
    scope,
    title,
    path,
    mode: 0o644,
    reload: [],
    enable: [['launchctl', 'enable', `${domain}/${title}`]],
    // Once loaded it is only to be kicked: "eco daemon stop" leaves it loaded.
    start: [['sh', '-c', 'launchctl bootstrap "$1" "$2" || launchctl kickstart "$1/$3"', 'sh', domain, path, title]],
    restart: [
      ['launchctl', 'bootout', `${domain}/${title}`],
      ['launchctl', 'bootstrap', domain, path],
    ],
    stop: [['launchctl', 'bootout', `${domain}/${title}`]],
    disable: [],
    isEnabled: null,
    isActive: ['launchctl', 'print', `${domain}/${title}`],
    status: ['launchctl', 'print', `${domain}/${title}`],
  }
}
