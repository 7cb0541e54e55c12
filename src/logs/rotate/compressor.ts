import { spawn } from 'node:child_process'
import { closeSync, createReadStream, createWriteStream, fchownSync, fstatSync, renameSync, statSync } from 'node:fs'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import type { Rotation } from '../../model/spec.ts'
import { removeFile } from '../../state/atomic-file.ts'
import type { Archive } from '../ledger.ts'
import { createPlain, openPlain } from './plain-file.ts'

const SUFFIX = { gzip: '.gz', zstd: '.zst' } as const
type Compression = Exclude<Rotation['compress'], 'none'>
export const COMPRESSIONS: readonly Compression[] = ['gzip', 'zstd']

const NICEST = 19

/** One archive after the other, whoever they are of: the apps need the processors more. */
export class Compressor {
  #last: Promise<unknown> = Promise.resolve()
  #running = 0

  get isIdle(): boolean {
    return this.#running === 0
  }

  /**
   * @param archive as it is on the disk, in the folder of `log`; it stays, for readers that have found it in the ledger
   * @returns how it is called now; rejects when it could not be compressed, and then nothing is left of that
   */
  compress(log: string, archive: Archive, compression: Compression): Promise<Archive> {
    this.#running++
    const mine = this.#last.then(() => compressed(dirname(log), archive, compression)).finally(() => this.#running--)
    this.#last = mine.catch(() => {})
    return mine
  }
}

async function compressed(folder: string, archive: Archive, wanted: Compression): Promise<Archive> {
  const from = join(folder, archive.name)
  const source = openPlain(from)
  try {
    // A zstd that is nowhere is no reason to keep ten times as much.
    const used = (await tryOne(from, source, wanted)) ? wanted : 'gzip'
    if (used !== wanted && !(await tryOne(from, source, used))) throw new Error('neither a program nor Node can do it')
    const name = `${archive.name}${SUFFIX[used]}`
    renameSync(temporary(from, used), join(folder, name))
    return { ...archive, name, bytes: statSync(join(folder, name)).size, compression: used }
  } finally {
    for (const one of COMPRESSIONS) removeFile(temporary(from, one))
    closeSync(source)
  }
}

export function temporary(from: string, compression: Compression): string {
  return `${from}${SUFFIX[compression]}.tmp`
}

/** @returns false: there is nothing here that knows this compression */
async function tryOne(from: string, source: number, compression: Compression): Promise<boolean> {
  const fd = createPlain(temporary(from, compression))
  try {
    const { uid, gid } = fstatSync(source)
    if (uid !== process.geteuid?.() || gid !== process.getegid?.()) fchownSync(fd, uid, gid)
    if (await byProgram(source, fd, compression)) return true
    const stream = byNode(compression)
    if (stream === null) return false
    const bytes = createReadStream('', { fd: source, autoClose: false, start: 0 })
    await pipeline(bytes, stream, createWriteStream('', { fd, autoClose: false }))
    return true
  } finally {
    closeSync(fd)
  }
}

function byNode(compression: Compression): NodeJS.ReadWriteStream | null {
  if (compression === 'gzip') return zlib.createGzip()
  // Node 22.15 and later.
  const { createZstdCompress } = zlib as unknown as { createZstdCompress?: () => NodeJS.ReadWriteStream }
  return createZstdCompress?.() ?? null
}

/** @returns false: it is not installed */
function byProgram(source: number, target: number, compression: Compression): Promise<boolean> {
  return new Promise<boolean>((resolve, reject) => {
    const child = spawn(compression, ['-c'], { stdio: [source, target, 'pipe'] })
    let said = ''
    child.stderr?.on('data', (text) => (said += String(text)))
    try {
      if (child.pid !== undefined) setPriority(child.pid, NICEST)
    } catch {
      // It has ended already.
    }
    child.once('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(false) : reject(error)))
    child.once('close', (code, signal) => {
      if (code === 0) resolve(true)
      else if (code !== null && code < 0) resolve(false)
      else reject(new Error(said.trim() || `${compression} ended with ${code ?? signal}`))
    })
  })
}
