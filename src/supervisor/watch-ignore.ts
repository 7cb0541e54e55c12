import { relative, sep } from 'node:path'
import { globPattern } from '../model/glob.ts'

/** Never watched, at any depth: what tools and running apps write, and what editors leave for a moment. */
const BUILT_IN = [
  'node_modules',
  '.git',
  '.hg',
  '.svn',
  'logs',
  '*.log',
  '*.log.*',
  '__pycache__',
  '*.pyc',
  '*.sw[pox]',
  '*~',
  '.#*',
  '#*#',
  '4913',
  '.DS_Store',
  '.nfs*',
]

/**
 * Tells which paths do not count. A glob with a slash is relative to `cwd`, one without matches a name at any depth, and
 * whatever lies below a folder that is ignored is ignored.
 *
 * @param root the watched path: only what is below it can be ignored
 * @param own absolute folders of eco itself
 */
export function ignoreRule(
  cwd: string,
  globs: readonly string[],
  own: readonly string[],
): (path: string, root: string) => boolean {
  const names = [...BUILT_IN, ...globs.filter((glob) => !trimmed(glob).includes('/'))].map(globPattern)
  const paths = globs.filter((glob) => trimmed(glob).includes('/')).map((glob) => globPattern(trimmed(glob)))
  return (path, root) => {
    if (own.some((folder) => path === folder || path.startsWith(folder + sep))) return true
    const parts = relative(root, path).split(sep)
    if (parts.some((name) => names.some((pattern) => pattern.test(name)))) return true
    if (paths.length === 0) return false
    const whole = relative(cwd, path).split(sep)
    return whole.some((_, index) => {
      const upTo = whole.slice(0, index + 1).join('/')
      return paths.some((pattern) => pattern.test(upTo))
    })
  }
}

function trimmed(glob: string): string {
  return glob.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
}
