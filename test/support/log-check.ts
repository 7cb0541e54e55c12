/** Reads a log back from its ledger, file and archives, and says what is wrong with it. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Archive, type Ledger, readLedger } from '../../src/logs/ledger.ts'

/** All that was written, in its order. @throws Error when the ledger does not fit to the files */
export function wholeLog(home: string, path: string): { readonly text: string; readonly ledger: Ledger } {
  const ledger = readLedger(home, path)
  const parts: Buffer[] = []
  let address = 0
  for (const archive of ledger.archives) {
    const bytes = contentOf(dirname(path), archive)
    if (archive.start !== address) throw new Error(`${archive.name} begins at ${archive.start}, not at ${address}`)
    if (bytes.length !== archive.end - archive.start) {
      throw new Error(`${archive.name} holds ${bytes.length} bytes of ${archive.end - archive.start}`)
    }
    parts.push(bytes)
    address = archive.end
  }
  const live = readFileSync(path)
  const filler = live.subarray(0, ledger.filler).toString()
  if (ledger.base + ledger.filler !== address)
    throw new Error(`the file begins at ${ledger.base}+${ledger.filler}, not at ${address}`)
  if (!/^([ \t]*\n)?$/.test(filler)) throw new Error(`its filler is ${JSON.stringify(filler)}`)
  parts.push(live.subarray(ledger.filler))
  return { text: Buffer.concat(parts).toString('latin1'), ledger }
}

function contentOf(folder: string, { name, compression }: Archive): Buffer {
  const path = join(folder, name)
  if (compression === 'gzip') return gunzipSync(readFileSync(path))
  if (compression === 'zstd') return execFileSync('zstd', ['-dc', path], { maxBuffer: 1 << 30 })
  return readFileSync(path)
}

/** What log-writer.mjs has written: each writer's lines are whole, and there once, in their order. */
export function faultsOf(text: string, writers: Readonly<Record<string, number>>): string[] {
  const next = new Map<string, number>(Object.keys(writers).map((id) => [id, 0]))
  const faults: string[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    const match = /^(\w+) (\d{10}) x+\$$/.exec(line)
    const id = match?.[1] ?? ''
    const wanted = next.get(id)
    if (!match || line.length !== 99 || wanted === undefined) faults.push(`torn: ${JSON.stringify(line.slice(0, 200))}`)
    else {
      const number = Number(match[2])
      if (number !== wanted) faults.push(`${id}: ${number} instead of ${wanted}`)
      next.set(id, number + 1)
    }
    if (faults.length > 10) break
  }
  if (text !== '' && !text.endsWith('\n')) faults.push('the last line has no end')
  for (const [id, count] of Object.entries(writers))
    if (next.get(id) !== count) faults.push(`${id}: ${next.get(id)} of ${count}`)
  return faults
}
