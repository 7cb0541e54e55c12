/** Installs the apps of fixtures/real-apps, two at a time. One that cannot be had is skipped loudly, with the reason. */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { TestProject } from 'vitest/node'
import { ROOT } from '../support/binary.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Why an app could not be installed, by folder. */
    notInstalled: Record<string, string>
  }
}

const INSTALL_TIMEOUT_MS = 180_000
const APPS = join(ROOT, 'fixtures/real-apps')

export async function setup(project: TestProject): Promise<void> {
  const waiting = readdirSync(APPS).filter((name) => existsSync(join(APPS, name, 'package-lock.json')))
  const notInstalled: Record<string, string> = {}
  const installRest = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const failure = await install(join(APPS, name))
      if (failure !== null) notInstalled[name] = failure
    }
  }
  await Promise.all([installRest(), installRest()])
  project.provide('notInstalled', notInstalled)
}

/** @returns what went wrong, null when it is there */
async function install(folder: string): Promise<string | null> {
  if (isCurrent(folder)) return null
  const result = await execa('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    timeout: INSTALL_TIMEOUT_MS,
  })
  if (result.exitCode === 0) return null
  return (
    result.stderr.split('\n').find((line) => line.startsWith('npm error')) ?? result.shortMessage ?? 'npm ci failed'
  )
}

/** npm writes its own lockfile last. */
function isCurrent(folder: string): boolean {
  try {
    const installed = statSync(join(folder, 'node_modules/.package-lock.json')).mtimeMs
    return installed >= statSync(join(folder, 'package-lock.json')).mtimeMs
  } catch {
    return false
  }
}
