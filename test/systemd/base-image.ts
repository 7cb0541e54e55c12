/** The disk that all machines of a run begin with: a minimal Debian with systemd. Made once a run, and removed after it. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { aptSources, suite, whyNoMachine } from './prerequisites.ts'

const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'procps']

declare module 'vitest' {
  export interface ProvidedContext {
    /** The root folder of the image; a reason when there is none. */
    readonly image: { readonly dir: string } | { readonly missing: string }
  }
}

export default function setup(project: TestProject): (() => void) | undefined {
  const kept = process.env['ECO_TEST_IMAGE']
  if (kept && existsSync(kept)) {
    project.provide('image', { dir: kept })
    return undefined
  }
  const missing = whyNoMachine()
  if (missing !== null) {
    project.provide('image', { missing })
    return undefined
  }
  const work = mkdtempSync(join(tmpdir(), 'eco-image-'))
  const remove = (): void => rmSync(work, { recursive: true, force: true })
  const dir = join(work, 'base')
  mkdirSync(dir)
  const tar = join(work, 'base.tar')
  const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, suite() ?? '', tar, ...aptSources()]
  const made = spawnSync('mmdebstrap', args, { encoding: 'utf8', timeout: 240_000 })
  const unpacked = made.status === 0 && spawnSync('tar', ['-C', dir, '-xf', tar]).status === 0
  project.provide(
    'image',
    unpacked ? { dir } : { missing: `mmdebstrap failed: ${made.stderr?.trim().split('\n').at(-1)}` },
  )
  rmSync(tar, { force: true })
  return remove
}
