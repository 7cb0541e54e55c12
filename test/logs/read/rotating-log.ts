/** A log file that is written and rotated as eco does it, under a ledger, by the test itself. */

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { type Archive, type Ledger, newLedger, writeLedger } from '../../../src/logs/ledger.ts'
import { archiveName } from '../../../src/logs/layout.ts'
import { appendPoints, type TimePoint } from '../../../src/logs/time-index.ts'

export class RotatingLog {
  readonly home: string
  readonly path: string
  ledger: Ledger
  #archivedAt = Date.UTC(2026, 0, 1)

  constructor(folder = mkdtempSync(join(tmpdir(), 'eco-read-'))) {
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    this.home = join(folder, 'home')
    mkdirSync(join(folder, 'logs'), { recursive: true })
    this.path = join(folder, 'logs/api-0.out.log')
    this.ledger = newLedger(this.path)
    writeFileSync(this.path, '')
  }

  get size(): number {
    return statSync(this.path).size
  }

  get end(): number {
    return this.ledger.base + this.size
  }

  append(bytes: string | Buffer): void {
    appendFileSync(this.path, bytes)
  }

  point(at: number, kind: TimePoint['kind'] = 'seen', address = this.end): void {
    appendPoints(this.home, this.path, [{ at, address, kind }])
  }

  change(fields: Partial<Ledger>): void {
    this.ledger = { ...this.ledger, ...fields }
    writeLedger(this.home, this.ledger)
  }

  /**
   * Everything there is goes into an archive.
   *
   * @param filler bytes at the head of the file that stay behind and are no output
   */
  rotate(compression: Archive['compression'], { filler = 0, times = [null, 0] as [number | null, number] } = {}): void {
    const { base, filler: before, archives } = this.ledger
    const bytes = readFileSync(this.path).subarray(before)
    this.#archivedAt += 1000
    const name = archiveName(this.path, this.#archivedAt, compression)
    const packed = compression === 'gzip' ? gzipSync(bytes) : compression === 'zstd' ? zstd(bytes) : bytes
    writeFileSync(join(this.path, '..', name), packed)
    const archive: Archive = {
      name,
      start: base + before,
      end: this.end,
      firstAt: times[0],
      lastAt: times[1],
      bytes: packed.length,
      compression,
    }
    const next = { base: this.end - filler, filler }
    const pending = {
      method: 'stopped-copy',
      archive,
      ...next,
      mark: '',
      isMarked: false,
      helper: null,
      size: this.size,
      stopped: [],
    } as const
    this.change({ pending })
    truncateSync(this.path, 0)
    if (filler > 0) this.append(Buffer.alloc(filler, '#'))
    this.change({ ...next, archives: [...archives, archive], pending: null })
  }
}

export const hasZstd = spawnSync('zstd', ['--version']).status === 0

function zstd(bytes: Buffer): Buffer {
  return spawnSync('zstd', ['-cq'], { input: bytes }).stdout
}
