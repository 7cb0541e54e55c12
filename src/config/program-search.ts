import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'

/**
 * Looks programs up on a PATH as execvp would. One is made for each load: a hundred apps that run `node` search once.
 */
export class ProgramSearch {
  readonly #known = new Map<string, boolean>()

  /** @param cwd relative folders of the PATH start there */
  finds(program: string, pathVariable: string, cwd: string): boolean {
    const folders = pathVariable.split(':')
    const isRelative = folders.some((folder) => !folder.startsWith('/'))
    const key = `${program}\0${pathVariable}\0${isRelative ? cwd : ''}`
    let known = this.#known.get(key)
    if (known === undefined) {
      known = folders.some((folder) => isProgram(`${path.resolve(cwd, folder)}/${program}`))
      this.#known.set(key, known)
    }
    return known
  }
}

function isProgram(file: string): boolean {
  // stat first: a failing access() makes an Error with a stack, once for each folder of the PATH.
  try {
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true && isExecutable(file)
  } catch {
    return false // a folder that this user may not look into
  }
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
