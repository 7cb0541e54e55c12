import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, dirname, resolve } from 'node:path'

/** Where a program is looked for as execvp(3) does. */
export interface ProgramSearch {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** The file that would be executed, or why none would. */
export type FoundProgram = { readonly path: string } | { readonly code: 'ENOENT' | 'EACCES' }

export function findProgram({ command, cwd, env }: ProgramSearch): FoundProgram {
  const program = command[0] ?? ''
  const folders = program.includes('/') ? [cwd] : (env['PATH'] ?? '/usr/bin:/bin').split(delimiter)
  let code: 'ENOENT' | 'EACCES' = 'ENOENT'
  if (!isDirectory(cwd)) return { code }
  for (const folder of folders) {
    const path = resolve(cwd, folder, program)
    try {
      accessSync(path, constants.X_OK)
      if (!isDirectory(path)) return { path }
      code = 'EACCES'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 'EACCES'
    }
  }
  return { code }
}

/**
 * The file, or the folder above it, that a user cannot open for certain, whatever supplementary groups it has. A Node
 * installed under /root is the usual case: root finds it, the user of the app does not.
 *
 * @param bit 4: it must be readable, 1: executable
 */
export function closedTo(uid: number, path: string, bit: 4 | 1): string | null {
  if (uid === 0) return null
  for (let at = path, need: number = bit; ; at = dirname(at), need = 1) {
    try {
      const { mode, uid: owner } = statSync(at)
      // Any group may be one of the user's: only where group and others are both shut out is it certain.
      const bits = owner === uid ? need << 6 : need | (need << 3)
      const isShut = (mode & bits) === 0
      if (isShut) return at
    } catch {
      return null // Not there: somebody else says so.
    }
    if (at === dirname(at)) return null
  }
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
