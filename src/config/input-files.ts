import { createHash } from 'node:crypto'
import { opendirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { globBase, globPattern } from '../model/glob.ts'
import { errnoOf } from './read-source.ts'

/** More than this is a mistake: `**` over node_modules. */
const MAX_FILES = 10_000

/**
 * SHA-256 (hex) of every file that the globs match, by path relative to `cwd`, in order of the paths. A folder stands for
 * all files in it. Symbolic links are followed, a folder only once.
 *
 * @param problem told the index of a glob that matches nothing, too much, or what cannot be read
 */
export function digestInputs(
  cwd: string,
  globs: readonly string[],
  problem: (index: number, message: string, hint?: string | null) => void,
): Record<string, string> {
  const digests = new Map<string, string>()
  for (const [index, glob] of globs.entries()) {
    try {
      const files = filesOf(cwd, glob)
      if (files.length === 0) problem(index, `matches no file: ${JSON.stringify(glob)}`, `globs are relative to ${cwd}`)
      for (const file of files) {
        if (!digests.has(file)) digests.set(file, digestOf(path.resolve(cwd, file)))
        if (digests.size > MAX_FILES) throw new TooMany()
      }
    } catch (error) {
      if (error instanceof TooMany) {
        const message = `matches more than ${MAX_FILES} files: ${JSON.stringify(glob)}`
        problem(index, message, 'name the folders that decide, like migrations/**/*.sql')
      } else problem(index, `cannot be read: ${errnoOf(error)}`)
    }
  }
  return Object.fromEntries([...digests].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

class TooMany extends Error {}

function filesOf(cwd: string, glob: string): string[] {
  const base = globBase(glob)
  const stat = statSync(path.resolve(cwd, base), { throwIfNoEntry: false })
  if (!stat) return []
  if (stat.isFile()) return isWhole(glob, base) ? [relativeTo(cwd, base)] : []
  const pattern = isWhole(glob, base) ? /^/ : globPattern(glob)
  const found: string[] = []
  collect(cwd, base, pattern, new Set(), found)
  return found.map((file) => relativeTo(cwd, file))
}

/** The glob has no magic: it names one file or folder. */
function isWhole(glob: string, base: string): boolean {
  return globPattern(glob).test(base)
}

function relativeTo(cwd: string, file: string): string {
  return path.relative(cwd, path.resolve(cwd, file))
}

function collect(cwd: string, folder: string, pattern: RegExp, visited: Set<string>, found: string[]): void {
  const { dev, ino } = statSync(path.resolve(cwd, folder))
  if (visited.has(`${dev}:${ino}`)) return
  visited.add(`${dev}:${ino}`)
  const directory = opendirSync(path.resolve(cwd, folder))
  try {
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      const stat = entry.isSymbolicLink() ? statSync(path.resolve(cwd, name), { throwIfNoEntry: false }) : entry
      if (stat?.isDirectory()) collect(cwd, name, pattern, visited, found)
      else if (stat?.isFile() && pattern.test(name)) found.push(name)
      if (found.length > MAX_FILES) throw new TooMany()
    }
  } finally {
    directory.closeSync()
  }
}

function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
