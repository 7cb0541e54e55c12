import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { GitRevision } from '../model/spec.ts'

/** The commit a file's folder is at, and whether the file differs from it; null outside a git work tree. */
export async function readGitRevision(file: string): Promise<GitRevision | null> {
  const cwd = dirname(file)
  if (!isInWorkTree(cwd)) return null // spares loading execa and starting git
  const { execa } = await import('execa')
  try {
    const [head, status] = await Promise.all([
      execa('git', ['rev-parse', 'HEAD'], { cwd, timeout: 5000 }),
      execa('git', ['status', '--porcelain', '--', file], { cwd, timeout: 5000 }),
    ])
    return { commit: head.stdout.trim(), dirty: status.stdout.trim() !== '' }
  } catch {
    return null // no git here, or no commit yet: history does without
  }
}

function isInWorkTree(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return true
    if (dirname(at) === at) return false
  }
}
