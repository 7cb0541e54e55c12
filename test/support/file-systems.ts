/** Folders on file systems of several kinds: what a log can be rotated with differs. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export type FileSystem = 'disk' | 'tmpfs' | 'xfs' | 'btrfs'

const TMPFS_MAGIC = 0x01021994

/** Gone when the test is over. @param dir on the disk @returns null, and a warning, where this machine has none of it */
export function folderOn(kind: FileSystem, dir: string): string | null {
  try {
    const folder = make(kind, dir)
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  } catch (error) {
    console.warn(`SKIPPED: no ${kind} here: ${(error as Error).message.split('\n')[0]}`)
    return null
  }
}

function make(kind: FileSystem, dir: string): string {
  if (kind === 'tmpfs') {
    if (statfsSync('/dev/shm').type !== TMPFS_MAGIC) throw new Error('/dev/shm is something else')
    return mkdtempSync('/dev/shm/eco-logs-')
  }
  const folder = join(dir, `logs-${kind}`)
  mkdirSync(folder)
  if (kind === 'disk') return folder
  const image = `${folder}.image`
  writeFileSync(image, '')
  truncateSync(image, 1 << 30)
  execFileSync(`mkfs.${kind}`, ['-q', image], { stdio: 'pipe' })
  execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'pipe' })
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder])
    rmSync(image)
  })
  const inner = join(folder, 'logs')
  mkdirSync(inner)
  return inner
}
