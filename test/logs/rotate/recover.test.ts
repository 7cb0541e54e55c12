/** What a next daemon makes of a stopped copy whose own process was killed: every state that it can leave. */

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Archive, newLedger, type PendingRotation, readLedger, writeLedger } from '../../../src/logs/ledger.ts'
import { recover } from '../../../src/logs/rotate/recover.ts'
import { savedTail } from '../../../src/logs/rotate/stop-and-cut.ts'
import { wholeLog } from '../../support/log-check.ts'

let home: string
let path: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-recover-'))
  path = join(home, 'api-0.out.log')
})
afterEach(() => rmSync(home, { recursive: true }))

const HEAD = 'one\ntwo\n'
const TAIL = 'three\nfo'

interface State {
  readonly live: string
  readonly saved?: string
  readonly done?: string
  readonly whole: string
}

const STATES: Readonly<Record<string, State>> = {
  'nobody stands still yet': { live: HEAD + TAIL, whole: HEAD + TAIL },
  'the end is saved': { live: HEAD + TAIL, saved: TAIL, whole: HEAD + TAIL },
  'cut short': { live: '', saved: TAIL, whole: HEAD + TAIL },
  'half put back': { live: 'thr', saved: TAIL, whole: HEAD + TAIL },
  'put back': { live: TAIL, saved: TAIL, whole: HEAD + TAIL },
  'cut short, and somebody else has let them go on': { live: 'X\n', saved: TAIL, whole: `${HEAD}${TAIL}X\n` },
  done: { live: TAIL, done: TAIL, whole: HEAD + TAIL },
  'done, and they have written more than was taken off': {
    live: `${TAIL}ur\nfive\nsix\n`,
    done: TAIL,
    whole: `${HEAD}${TAIL}ur\nfive\nsix\n`,
  },
}

test.each(Object.entries(STATES))('%s', (_, { live, saved, done, whole }) => {
  writeFileSync(path, live)
  const archive: Archive = {
    name: 'api-0.out.log.20260101T000000.000Z',
    start: 0,
    end: HEAD.length,
    firstAt: null,
    lastAt: 0,
    bytes: HEAD.length,
    compression: 'none',
  }
  writeFileSync(join(home, archive.name), HEAD)
  if (saved !== undefined) writeFileSync(savedTail(path, 'saved'), saved)
  if (done !== undefined) writeFileSync(savedTail(path, 'done'), done)
  const pending: PendingRotation = {
    method: 'stopped-copy',
    archive,
    base: HEAD.length,
    filler: 0,
    size: HEAD.length + 3,
    mark: '',
    isMarked: false,
    helper: { pid: 2 ** 30, startTime: 1 },
    stopped: [],
  }
  writeLedger(home, { ...newLedger(path), inode: statSync(path).ino, size: HEAD.length + 3, pending })
  const recovered = recover(home, readLedger(home, path))
  expect(recovered.pending).toBeNull()
  writeLedger(home, recovered)
  expect(wholeLog(home, path).text).toBe(whole)
  for (const state of ['saved', 'done'] as const) expect(existsSync(savedTail(path, state))).toBe(false)
  expect(existsSync(join(home, archive.name))).toBe(recovered.archives.length === 1)
  expect(readFileSync(path, 'utf8')).toBe(whole.slice(recovered.base))
})
