import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { indexFile } from '../../src/logs/layout.ts'
import { newLedger, readLedger, writeLedger, type Ledger } from '../../src/logs/ledger.ts'
import { layoutNow } from '../../src/logs/read/layout-now.ts'
import { segmentsOf } from '../../src/logs/read/segments.ts'
import { writeFileAtomic } from '../../src/state/atomic-file.ts'

const LOG = '/x/logs/api-0.out.log'
const archive = {
  name: 'api-0.out.log.20260131T180405.123Z.gz',
  start: 0,
  end: 100,
  firstAt: null,
  lastAt: 1769882645123,
  bytes: 40,
  compression: 'gzip',
} as const
const whole: Ledger = {
  ...newLedger(LOG),
  base: 100,
  archives: [archive],
  pending: {
    method: 'collapse',
    archive: { ...archive, start: 100, end: 200 },
    base: 150,
    filler: 50,
    size: 100,
    mark: 'x',
    isMarked: false,
    helper: null,
    stopped: [],
  },
}

function home(): string {
  const folder = mkdtempSync(join(tmpdir(), 'eco-ledger-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

test('comes back as it was written', () => {
  const at = home()
  for (const ledger of [whole, { ...whole, base: -4, filler: 5 }]) {
    writeLedger(at, ledger)
    expect(readLedger(at, LOG)).toEqual(ledger)
  }
})

test('one that is damaged, of another file or of a later format is taken for a new one', () => {
  const at = home()
  const broken: unknown[] = [
    { ...whole, format: 2 },
    { ...whole, path: '/y' },
    { ...whole, filler: -1 },
    { ...whole, base: 1e300 },
    { ...whole, filler: '5' },
    { ...whole, archives: 'none' },
    { ...whole, archives: [archive, null] },
    { ...whole, archives: [{ ...archive, end: null }] },
    { ...whole, pending: { method: 'collapse' } },
    { ...whole, pending: { ...whole.pending, archive: null } },
    [],
    null,
  ]
  for (const value of broken) {
    writeFileAtomic(indexFile(at, LOG, 'json'), JSON.stringify(value), false)
    expect(readLedger(at, LOG), JSON.stringify(value)).toEqual(newLedger(LOG))
  }
})

test('whatever stands in it, the log can be laid out', () => {
  const at = home()
  const fields = fc.record(
    Object.fromEntries(
      Object.keys(whole).map((key) => [key, fc.oneof(fc.jsonValue(), fc.constant(whole[key as keyof Ledger]))]),
    ),
  )
  fc.assert(
    fc.property(fields, (value) => {
      writeFileAtomic(indexFile(at, LOG, 'json'), JSON.stringify({ ...value, format: 1, path: LOG }), false)
      const segments = segmentsOf(layoutNow(readLedger(at, LOG)), 100)
      expect(segments.every(({ start, end }) => end >= start)).toBe(true)
    }),
  )
})
