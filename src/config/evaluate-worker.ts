/**
 * Runs a TS/JS ecosystem file in a thread of its own, so that an endless loop, a process.exit or a promise that never
 * settles is an error of the file and not the end of eco. Built as dist/evaluate-worker.js.
 */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'

/** What the worker is started with. */
export interface EvaluateRequest {
  readonly file: string
  readonly environment: string | null
}

/** What it posts, once. Nothing at all: the promise never settles. */
export type EvaluateReply =
  | { readonly type: 'value'; readonly value: unknown; readonly isFunction: boolean }
  | { readonly type: 'not-data'; readonly path: ReadonlyArray<string | number>; readonly what: string }
  | { readonly type: 'threw'; readonly name: string; readonly message: string; readonly stack: string }
  | { readonly type: 'exited'; readonly code: number }

type Finding = { readonly path: ReadonlyArray<string | number>; readonly what: string }

const exit = process.exit.bind(process)
process.exit = (code) => {
  post({ type: 'exited', code: Number(code ?? process.exitCode ?? 0) })
  return exit(code ?? undefined)
}

// Not top-level await: a promise that never settles must end this thread quietly, not with Node's own warning.
void run(workerData)

async function run(request: EvaluateRequest): Promise<void> {
  try {
    const exported = await importFile(request.file)
    const isFunction = typeof exported === 'function'
    const value: unknown = await (isFunction ? exported({ env: request.environment }) : exported)
    const finding = findNonData(value, [], new Set())
    post(finding ? { type: 'not-data', ...finding } : { type: 'value', value: withoutUndefined(value), isFunction })
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(`threw ${String(error)}`)
    post({ type: 'threw', name, message, stack: stack ?? '' })
  }
}

async function importFile(file: string): Promise<unknown> {
  const namespace: unknown = /\.m?ts$/.test(file)
    ? await importTypeScript(file)
    : await import(pathToFileURL(file).href)
  const exported = namespace && typeof namespace === 'object' && 'default' in namespace ? namespace.default : undefined
  if (exported === undefined) throw new Error('the file has no default export')
  // A CommonJS file that was compiled from ESM: module.exports = { default: … }.
  const isInterop =
    typeof exported === 'object' && exported !== null && '__esModule' in exported && 'default' in exported
  return isInterop ? exported.default : exported
}

/** Node 20 cannot strip types, and newer ones strip only what is erasable: jiti does both, and needs no build folder. */
async function importTypeScript(file: string): Promise<unknown> {
  const { createJiti } = await import('jiti')
  const jiti = createJiti(file, { fsCache: false, moduleCache: false, interopDefault: false, alias: ownPackage(file) })
  return jiti.import(file)
}

/** `import { defineEcosystem } from 'eco-orchestrator'` works where eco is installed globally, too. */
function ownPackage(file: string): Record<string, string> {
  try {
    createRequire(file).resolve('eco-orchestrator')
    return {}
  } catch {
    const own = fileURLToPath(new URL('./index.js', import.meta.url))
    return existsSync(own) ? { 'eco-orchestrator': own } : {}
  }
}

/** The first value that is no plain data. A `default` of 1 GB is the memory limit's business, not ours. */
function findNonData(value: unknown, path: ReadonlyArray<string | number>, open: Set<unknown>): Finding | null {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return null
  if (typeof value === 'number') return Number.isFinite(value) ? null : { path, what: String(value) }
  if (typeof value !== 'object') return { path, what: `a ${typeof value}` }
  if (open.has(value)) return { path, what: 'a reference to a value that contains it' }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return { path, what: `an instance of ${value.constructor.name}` }
  }
  if (value instanceof Promise) return { path, what: 'a promise' }
  open.add(value)
  const symbol = Object.getOwnPropertySymbols(value)[0]
  if (symbol) return { path, what: `a map with the symbol ${symbol.description ?? ''}` }
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  for (const [key, item] of entries) {
    if (Array.isArray(value) && item === undefined) return { path: [...path, key], what: 'undefined' }
    const finding = findNonData(item, [...path, key], open)
    if (finding) return finding
  }
  open.delete(value)
  return null
}

/** Like JSON: a key whose value is undefined is not there. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutUndefined(item)]))
}

function post(reply: EvaluateReply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(reply)
}
