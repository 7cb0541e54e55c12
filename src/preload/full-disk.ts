import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/** What a disk says, and not the app: a write of a log that fails with one of these costs lines, not the app. */
const OF_THE_DISK = new Set(['ENOSPC', 'EDQUOT', 'EIO'])

type Fs = Record<'write' | 'writev' | 'writeSync' | 'writevSync', (...args: any[]) => unknown>

/**
 * A full disk must not end an app that writes into its log file: Node makes an uncaught exception of it (ADR 29). Only for
 * stdout and stderr, and only while they are the files that eco opened: what an app redirects elsewhere is its own data.
 *
 * @param declared ECO_OUTPUT: `dev:ino` of each of those files
 */
export function outliveFullDisk(declared: string | undefined): void {
  const known = declared?.split(',') ?? []
  const fds = new Set([1, 2].filter((fd) => known.includes(identityOf(fd))))
  if (fds.size === 0) return
  // Before the functions beneath them are replaced, so that whoever listens for errors of these streams hears of them.
  if (isMainThread) for (const fd of fds) forgive(fd === 1 ? process.stdout : process.stderr)
  forgiveCalls(fs as unknown as Fs, fds)
}

/** An error that nobody listens for is thrown, and nobody catches it. */
function forgive(stream: NodeJS.WriteStream): void {
  const emit = stream.emit.bind(stream) as (event: string, ...args: unknown[]) => boolean
  const value = function (this: NodeJS.WriteStream, event: string, ...args: unknown[]): boolean {
    if (event === 'error' && isOfTheDisk(args[0]) && this.listenerCount('error') === 0) return false
    return emit(event, ...args)
  }
  Object.defineProperty(stream, 'emit', { value, writable: true, configurable: true, enumerable: false })
}

/** Of those who write past the streams, as pino does: what could not be written counts as written. */
function forgiveCalls(calls: Fs, fds: ReadonlySet<unknown>): void {
  for (const name of ['writeSync', 'writevSync'] as const) {
    replace(calls, name, (original, args) => {
      if (!fds.has(args[0])) return original(...args)
      try {
        return original(...args)
      } catch (error) {
        if (!isOfTheDisk(error)) throw error
        return lengthOf(args)
      }
    })
  }
  for (const name of ['write', 'writev'] as const) {
    replace(calls, name, (original, args) => {
      const done = args.at(-1)
      if (!fds.has(args[0]) || typeof done !== 'function') return original(...args)
      return original(...args.slice(0, -1), (error: unknown, written: number, data: unknown) => {
        if (isOfTheDisk(error)) done(null, lengthOf(args), data ?? args[1])
        else done(error, written, data)
      })
    })
  }
}

function replace(
  calls: Fs,
  name: keyof Fs,
  call: (original: (...args: any[]) => unknown, args: any[]) => unknown,
): void {
  const original = calls[name]
  const replaced = (...args: unknown[]): unknown => call(original, args)
  // Among them what util.promisify looks for.
  Object.defineProperties(replaced, Object.getOwnPropertyDescriptors(original))
  calls[name] = replaced
}

/** What a call of write or writev, with or without a callback, was asked to write, in bytes. */
function lengthOf([, data, second, third]: any[]): number {
  if (typeof data === 'string') return Buffer.byteLength(data, typeof third === 'string' ? (third as 'utf8') : 'utf8')
  if (Array.isArray(data)) return data.reduce((sum: number, part: ArrayBufferView) => sum + part.byteLength, 0)
  const { offset = 0, length = null } =
    typeof second === 'object' && second !== null ? second : { offset: second ?? 0, length: third }
  return typeof length === 'number' ? length : data.byteLength - (typeof offset === 'number' ? offset : 0)
}

function isOfTheDisk(error: unknown): boolean {
  return OF_THE_DISK.has((error as NodeJS.ErrnoException | null | undefined)?.code ?? '')
}

function identityOf(fd: number): string {
  try {
    const { dev, ino } = fs.fstatSync(fd, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return ''
  }
}
