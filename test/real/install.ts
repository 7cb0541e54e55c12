/** Installs the apps of fixtures/real-apps, two at a time. One that cannot be had is skipped loudly, with the reason. */

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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
  for (const [name, why] of Object.entries(notInstalled)) process.stderr.write(`SKIPPED ${name}: ${why}\n`)
  project.provide('notInstalled', notInstalled)
}

/** @returns what went wrong, null when it is there */
async function install(folder: string): Promise<string | null> {
  const { path, digest } = markOf(folder)
  if (existsSync(path) && readFileSync(path, 'utf8') === digest) return null
  const result = await execa('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    timeout: INSTALL_TIMEOUT_MS,
  })
  if (result.exitCode === 0) {
    writeFileSync(path, digest)
    return null
  }
  if (result.timedOut) return `npm ci took longer than ${INSTALL_TIMEOUT_MS / 1000} s`
  return (
    result.stderr.split('\n').find((line) => line.startsWith('npm error')) ?? result.shortMessage ?? 'npm ci failed'
  )
}

/** The lockfile that was installed, by its digest: checkouts touch times. */
function markOf(folder: string): { readonly path: string; readonly digest: string } {
  const digest = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  return { path: join(folder, 'node_modules/.installed'), digest }
}
