import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { messageOf, timedLines } from '../../src/logs/line-format.ts'
import { encodePosition, newSpool, Spool } from '../../src/logs/spool.ts'
import { LogSink } from '../../src/scribe/log-sink.ts'
import { CHUNK_BYTES, SpoolReader } from '../../src/scribe/spool-reader.ts'

interface Desk {
  readonly log: string
  readonly spool: Spool
  /** As the app does. */
  readonly write: (text: string) => void
  /** A scribe that knows nothing but what is on the disk. */
  readonly reader: () => SpoolReader
}

function desk(style: 'time' | 'json' = 'time'): Desk {
  const home = mkdtempSync(join(tmpdir(), 'eco-spool-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const log = join(home, 'app.log')
  const spool = newSpool(home, 'app-0.out')
  const source = { app: 'app', instance: 'app#0', stream: 'stdout' } as const
  const order = { format: 1, path: log, style, run: 'run', ...source } as const
  closeSync(spool.create(order))
  return {
    log,
    spool,
    write: (text) => appendFileSync(spool.path, text),
    reader: () => new SpoolReader(new Spool(home, spool.id), order, new LogSink(log), Buffer.alloc(CHUNK_BYTES)),
  }
}

function toEnd(reader: SpoolReader): void {
  while (reader.step() === 'more');
  reader.close()
}

const messages = (log: string, style: 'time' | 'json' = 'time'): string[] => {
  const lines = readFileSync(log, 'utf8').split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => messageOf(line, style))
}

test('one that was killed in the middle of a write, wherever, is gone on with at the very byte', () => {
  const AT = 1_700_000_000_000
  const lines = ['one', 'two, é', '']
  const piece = timedLines(
    lines.map((line) => Buffer.from(line)),
    AT,
  )
  for (let written = 0; written <= piece.length; written++) {
    const { log, spool, write, reader } = desk()
    writeFileSync(log, 'before\n')
    write(`${lines.join('\n')}\nthree\n`)
    const { ino: inode, size: logSize } = statSync(log)
    const fd = spool.openPosition()
    writeSync(fd, encodePosition({ pos: 0, next: 13, at: AT, inode, logSize }))
    closeSync(fd)
    appendFileSync(log, piece.subarray(0, written))
    toEnd(reader())
    expect(messages(log)).toEqual(['before', ...lines, 'three'])
    expect(spool.isDone).toBe(true)
  }
})

test('an unfinished line waits for its end, and is written when there is none to come', () => {
  const { log, spool, write, reader } = desk('json')
  write('whole\nhalf')
  toEnd(reader())
  expect(messages(log, 'json')).toEqual(['whole'])
  write(' and half\nrest')
  toEnd(reader())
  expect(messages(log, 'json')).toEqual(['whole', 'half and half'])
  expect(spool.isDone).toBe(false)
  spool.markOver()
  const last = reader()
  expect(last.isOver).toBe(true)
  toEnd(last)
  expect(messages(log, 'json')).toEqual(['whole', 'half and half', 'rest'])
  expect(spool.isDone).toBe(true)
})

test('what is dropped because its log cannot be written is counted in a line', () => {
  const { log, write, reader } = desk()
  const one = reader()
  write('first\n')
  expect(one.step()).toBe('more')
  rmSync(log)
  const line = `${'x'.repeat(99)}\n`
  write(line.repeat(10_000))
  one.drop(100_000)
  toEnd(one)
  const found = messages(log)
  expect(found[0]).toMatch(/^\[eco\] \d+ lines were dropped here/)
  const dropped = Number(found[0]?.split(' ')[1])
  expect(dropped).toBeGreaterThan(8000)
  expect(dropped + found.length - 1).toBe(10_000)
})

test('a spool that its app truncates is read from its beginning', () => {
  const { log, spool, write, reader } = desk()
  const one = reader()
  write('a long line before\n')
  expect(one.step()).toBe('more')
  truncateSync(spool.path)
  write('after\n')
  toEnd(one)
  expect(messages(log)).toEqual(['a long line before', 'after'])
})
