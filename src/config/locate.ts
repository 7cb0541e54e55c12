import { readdirSync } from 'node:fs'
import path from 'node:path'
import { EcoError } from '../errors.ts'

export const EXTENSIONS = ['yaml', 'yml', 'json', 'jsonc', 'ts', 'mts', 'js', 'mjs', 'cjs'] as const
const CANDIDATES = new Set<string>(EXTENSIONS.map((extension) => `ecosystem.${extension}`))

/**
 * Finds the ecosystem file of a folder: the nearest one, walking up.
 *
 * @returns its absolute path
 * @throws EcoError CONFIG_NOT_FOUND when there is none, CONFIG_INVALID when one folder has two
 */
export function locateFile(cwd: string): string {
  const start = path.resolve(cwd)
  for (let folder = start; ; folder = path.dirname(folder)) {
    const found = namesIn(folder).filter((name) => CANDIDATES.has(name))
    if (found.length > 1) {
      throw new EcoError('CONFIG_INVALID', `${folder} has ${found.length} ecosystem files: ${found.join(' and ')}.`, {
        hint: `keep one, or name it: eco diff ${found[0] ?? ''}`,
      })
    }
    if (found[0] !== undefined) return path.join(folder, found[0])
    if (path.dirname(folder) === folder) {
      throw new EcoError(
        'CONFIG_NOT_FOUND',
        `No ecosystem file (ecosystem.yaml, .json, .ts …) in ${start} or above it.`,
        {
          hint: 'eco init',
        },
      )
    }
  }
}

/** Nothing of a folder that cannot be read: what is above it may still be. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}
