import type { EpochMs } from '../../model/ids.ts'
import type { Rotation } from '../../model/spec.ts'
import { removeFile } from '../../state/atomic-file.ts'
import { archivePath } from '../by-address.ts'
import type { FollowedFile } from '../followed-file.ts'
import type { Archive } from '../ledger.ts'
import type { Compressor } from './compressor.ts'

/** Whoever follows the log, or waits for a line in it, is that much behind at most: an archive is packed only then. */
const PACKED_AFTER_MS = 10_000
/** … unless there are more. */
const MOST_UNPACKED = 4
/** After one that failed. */
const PAUSE_MS = 60_000

/** Compresses the archives of one log file, and keeps its ledger true meanwhile. */
export class Packer {
  readonly #file: FollowedFile
  readonly #compressor: Compressor
  readonly #whenIdle: () => Promise<void>
  readonly #packing = new Set<string>()
  #notBefore = 0
  /** What was written of it last. */
  #trouble = ''

  /** @param whenIdle resolves when the ledger may be changed */
  constructor(file: FollowedFile, compressor: Compressor, whenIdle: () => Promise<void>) {
    this.#file = file
    this.#compressor = compressor
    this.#whenIdle = whenIdle
  }

  /** Nothing is still to be compressed. */
  isDone({ compress }: Rotation): boolean {
    return this.#packing.size === 0 && (compress === 'none' || this.#unpacked().length === 0)
  }

  /** Packs those that have been as they were written for a while; also those that a daemon before has left so. */
  look({ compress }: Rotation, now: EpochMs): void {
    if (compress === 'none' || performance.now() < this.#notBefore) return
    const unpacked = this.#unpacked()
    for (const [index, archive] of unpacked.entries()) {
      const isDue = now - archive.lastAt >= PACKED_AFTER_MS || unpacked.length - index > MOST_UNPACKED
      if (!isDue || this.#packing.has(archive.name)) continue
      this.#packing.add(archive.name)
      void this.#pack(archive, compress)
    }
  }

  #unpacked(): readonly Archive[] {
    const { archives } = this.#file.ledger
    return archives.some(isUnpacked) ? archives.filter(isUnpacked) : []
  }

  async #pack(archive: Archive, compress: 'gzip' | 'zstd'): Promise<void> {
    const plain = archivePath(this.#file, archive)
    try {
      const packed = await this.#compressor.compress(this.#file.path, archive, compress)
      await this.#whenIdle()
      const { archives } = this.#file.ledger
      if (!archives.some(({ name }) => name === archive.name)) {
        removeQuietly(archivePath(this.#file, packed)) // pruned meanwhile
      } else if (this.#file.change({ archives: archives.map((it) => (it.name === archive.name ? packed : it)) })) {
        removeQuietly(plain)
      } else {
        // Whoever reads the ledger looks for it as it was.
        this.#file.change({ archives })
        removeQuietly(archivePath(this.#file, packed))
        throw new Error('its ledger could not be written')
      }
    } catch (error) {
      // The disk is full, mostly: it stays as it is, and is tried again.
      this.#notBefore = performance.now() + PAUSE_MS
      const trouble = `${plain} was not compressed: ${(error as Error).message}`
      if (trouble !== this.#trouble) console.error(trouble)
      this.#trouble = trouble
    }
    this.#packing.delete(archive.name)
  }
}

function isUnpacked({ compression }: Archive): boolean {
  return compression === 'none'
}

/** Of what no ledger has, or has any more. */
export function removeQuietly(path: string): void {
  try {
    removeFile(path)
  } catch {
    // It stays behind, in nobody's way.
  }
}
