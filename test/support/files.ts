import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface FoundFile {
  readonly path: string
  readonly type: 'file' | 'folder' | 'socket' | 'other'
  /** Permission bits: 0o600. */
  readonly mode: number
}

/** Everything below a folder, and the folder itself. */
export function findFiles(root: string): FoundFile[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  return [root, ...names.map((name) => join(root, name))].map((path) => {
    const stat = lstatSync(path)
    const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSocket() ? 'socket' : 'other'
    return { path, type, mode: stat.mode & 0o777 }
  })
}

/** The files below a folder that contain the text. */
export function filesWith(root: string, text: string): string[] {
  return findFiles(root)
    .filter(({ type }) => type === 'file')
    .map(({ path }) => path)
    .filter((path) => readFileSync(path).includes(text))
}
