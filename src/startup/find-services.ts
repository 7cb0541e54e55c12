import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nameOfFile, type Owner, type ServiceFile, serviceFile, serviceFolder } from './init-system.ts'
import { readMark, type Written } from './mark.ts'
import type { InitName, ServiceScope } from './service.ts'

export interface FoundService {
  readonly file: ServiceFile
  readonly written: Written
}

/** The services that `eco startup` has written for an ECO_HOME, those of the system first. */
export function findServices(init: InitName, home: string, owner: Owner): FoundService[] {
  const scopes: readonly ServiceScope[] = init === 'openrc' ? ['system'] : ['system', 'user']
  return scopes.flatMap((scope) => {
    const folder = serviceFolder(init, scope, owner)
    return namesIn(folder).flatMap((entry): FoundService[] => {
      const name = nameOfFile(init, entry)
      const written = name === null ? null : readWritten(join(folder, entry))
      return name !== null && written?.home === home ? [{ file: serviceFile(init, scope, name, owner), written }] : []
    })
  })
}

/** `foreign`: somebody else wrote what lies there. */
export function whoWrote(path: string): Written | 'foreign' | null {
  try {
    return readMark(readFileSync(path, 'utf8')) ?? 'foreign'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : 'foreign'
  }
}

function readWritten(path: string): Written | null {
  const written = whoWrote(path)
  return written === 'foreign' ? null : written
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
