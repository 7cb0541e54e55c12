import { existsSync } from 'node:fs'
import { runCommand } from './run-command.ts'
import type { InitName } from './service.ts'

/** The init system that runs this machine; null: none that eco knows, as in most containers. */
export function findInit(): InitName | null {
  if (process.platform === 'darwin') return 'launchd'
  // sd_booted(3): the programs of systemd may be installed where another init runs.
  if (existsSync('/run/systemd/system')) return 'systemd'
  if (existsSync('/run/openrc/softlevel')) return 'openrc'
  return null
}

/** null: this machine is not run by systemd, or nobody can tell. */
export function systemdVersion(): number | null {
  if (findInit() !== 'systemd') return null
  const [, version] = /^systemd (\d+)/.exec(runCommand(['systemctl', '--version']).text) ?? []
  return version === undefined ? null : Number(version)
}
