/**
 * Loads dist/program.cjs with its compiled code from a cache: compiling it anew costs every `eco diff` 30 ms.
 * Node has this built in from 22.8 on; eco supports 20, so it does it by itself, in the way of v8-compile-cache.
 */

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import vm from 'node:vm'

type Program = typeof import('./cli/program.ts')

export interface LoadedProgram {
  readonly program: Program
  /** Writes the cache when there was none; to be called when the command is over, so that it holds what was used. */
  readonly saveCache: () => void
}

export function loadProgram(home: string): LoadedProgram {
  const file = join(__dirname, 'program.cjs')
  const cacheFile = join(home, 'cache', cacheName(file))
  const cachedData = readIfThere(cacheFile)
  const script = new vm.Script(
    `(function(exports,require,module,__filename,__dirname){${readFileSync(file, 'utf8')}\n})`,
    {
      filename: file,
      ...(cachedData ? { cachedData } : {}),
    },
  )
  const module = { exports: {} }
  const evaluate = script.runInThisContext() as (...args: unknown[]) => void
  evaluate.call(module.exports, module.exports, createRequire(file), module, file, __dirname)
  const isFresh = cachedData !== null && script.cachedDataRejected !== true
  return {
    program: module.exports as Program,
    saveCache: () => {
      if (!isFresh) save(cacheFile, () => script.createCachedData())
    },
  }
}

/** V8 checks its own version and flags, but of the source only the length: the name must tell one build from another. */
function cacheName(file: string): string {
  const { size, mtimeMs } = statSync(file)
  return `program-${process.version}-${process.arch}-${size.toString(36)}-${Math.round(mtimeMs).toString(36)}.bin`
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file)
  } catch {
    return null
  }
}

/** A cache that cannot be written is done without. */
function save(file: string, data: () => Buffer): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const temporary = `${file}.${process.pid}`
    writeFileSync(temporary, data(), { mode: 0o600 })
    renameSync(temporary, file)
  } catch {
    // Read-only home, full disk: the next command compiles again.
  }
}
