/**
 * Loads dist/program.cjs with its compiled code from a cache: compiling it anew costs every `eco diff` 30 ms.
 * Node has this built in from 22.8 on; eco supports 20, so it does it by itself, in the way of v8-compile-cache.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import vm from 'node:vm'
import { cacheDir } from './state/paths.ts'

type Program = typeof import('./cli/program.ts')

export interface LoadedProgram {
  readonly program: Program
  /** Writes the cache when there was none; to be called when the command is over, so that it holds what was used. */
  readonly saveCache: () => void
}

export function loadProgram(home: string, command: string): LoadedProgram {
  const file = join(__dirname, 'program.cjs')
  const cacheFile = join(cacheDir(home), cacheName(file, command))
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

/** These run the whole pipeline; a cache made by another command would lack most of what they use. */
const PIPELINE = new Set(['apply', 'diff', 'plan'])

/** V8 checks its own version and flags, but of the source only the length: the name must tell one build from another. */
function cacheName(file: string, command: string): string {
  const { size, mtimeMs } = statSync(file)
  const build = `${size.toString(36)}-${Math.round(mtimeMs).toString(36)}`
  return `${PIPELINE.has(command) ? 'pipeline' : 'other'}-${process.version}-${process.arch}-${build}.bin`
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
    removeOlder(file)
  } catch {
    // Read-only home, full disk: the next command compiles again.
  }
}

/** Caches of the same Node version made of other builds. */
function removeOlder(file: string): void {
  const own = basename(file)
  const kind = own.split('-').slice(0, 3).join('-')
  for (const name of readdirSync(dirname(file))) {
    if (name !== own && name.startsWith(kind) && name.endsWith('.bin'))
      rmSync(join(dirname(file), name), { force: true })
  }
}
