/** The bytes of an archive, by their place in what was compressed. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { Archive } from '../ledger.ts'

/** Archives up to this size are unpacked into memory; larger ones into a file that has no name any more. */
const MAX_IN_MEMORY = 64 * 1024 * 1024

export interface ArchiveBytes {
  /** @returns fewer at the end */
  read(offset: number, length: number): Buffer
  close(): void
}

/** @throws the error of the file system or of what unpacks it; ENOENT when the archive has been removed */
export async function openArchive(path: string, { compression, start, end }: Archive): Promise<ArchiveBytes> {
  if (compression === 'none') return inFile(openSync(path, 'r'))
  const size = end - start
  if (size > MAX_IN_MEMORY) return unpackToFile(path, compression)
  return inMemory(compression === 'gzip' ? await gunzip(readFileSync(path)) : await unzstd(path, size))
}

const gunzip: (bytes: Buffer) => Promise<Buffer> = promisify(zlib.gunzip)

async function unzstd(path: string, size: number): Promise<Buffer> {
  // From Node 22.15 on.
  const native = (zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }).zstdDecompressSync
  if (native) return native(readFileSync(path))
  const closed = openSync(path, 'r')
  closeSync(closed)
  const run = promisify(execFile)
  const options = { encoding: 'buffer', maxBuffer: size + 4096 } as const
  try {
    return (await run('zstd', ['-dcq', '--', path], options)).stdout
  } catch (error) {
    throw explained(error)
  }
}

async function unpackToFile(path: string, compression: 'gzip' | 'zstd'): Promise<ArchiveBytes> {
  const folder = mkdtempSync(join(tmpdir(), 'eco-logs-'))
  try {
    const file = join(folder, 'unpacked')
    const to = createWriteStream(file, { mode: 0o600 })
    if (compression === 'gzip') await pipeline(createReadStream(path), zlib.createGunzip(), to)
    else await unzstdTo(path, to)
    return inFile(openSync(file, 'r'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function unzstdTo(path: string, to: NodeJS.WritableStream): Promise<void> {
  const child = spawn('zstd', ['-dcq', '--', path], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'close')
  try {
    await Promise.all([pipeline(child.stdout, to), ended])
  } catch (error) {
    throw explained(error)
  }
  if (child.exitCode !== 0) throw new Error(`zstd could not unpack ${path}`)
}

function explained(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT') return error as Error
  return new Error('it is compressed with zstd, which this Node cannot unpack and which is not installed')
}

function inMemory(bytes: Buffer): ArchiveBytes {
  return { read: (offset, length) => bytes.subarray(offset, offset + length), close: () => {} }
}

function inFile(fd: number): ArchiveBytes {
  return {
    read: (offset, length) => {
      const bytes = Buffer.allocUnsafe(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
    },
    close: () => closeSync(fd),
  }
}
