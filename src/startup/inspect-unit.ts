/** What is at boot: for `eco doctor`. The facts are read here; inspection.ts says what they mean. */

import { accessSync, constants } from 'node:fs'
import { findAccount } from './accounts.ts'
import { findInit } from './find-init.ts'
import { findServices } from './find-services.ts'
import type { InspectedService, Inspection } from './inspection.ts'
import { isLingering } from './linger.ts'
import { runCommand } from './run-command.ts'

/** @param version of the CLI that asks */
export function inspectUnit(home: string, version: string): Inspection {
  const init = findInit()
  const account = findAccount(String(process.getuid?.()))
  const facts = { init, version, user: account?.name ?? '', isRoot: account?.uid === 0 }
  if (init === null || account === null) return { ...facts, isLingering: null, services: [] }
  const services = findServices(init, home, account).map(({ file, written }): InspectedService => {
    const { isEnabled, isActive, scope, title, path, status } = file
    return {
      scope,
      title,
      path,
      written,
      hasNode: isThere(written.node, constants.X_OK),
      hasDaemon: isThere(written.daemon, constants.R_OK),
      isEnabled: isEnabled === null || runCommand(isEnabled).code === 0,
      isActive: runCommand(isActive).code === 0,
      status: status.join(' '),
    }
  })
  return { ...facts, isLingering: init === 'systemd' ? isLingering(account.name) : null, services }
}

function isThere(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
