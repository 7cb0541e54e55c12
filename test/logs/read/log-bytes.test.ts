import { execFile } from 'node:child_process'
import { once } from 'node:events'
import fs, {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { indexFile } from '../../../src/logs/layout.ts'
import { LogBytes } from '../../../src/logs/read/log-bytes.ts'
import { hasZstd, RotatingLog } from './rotating-log.ts'

function open(log: RotatingLog, said: string[] = []): LogBytes {
  return new LogBytes(log.home, log.path, null, (message) => said.push(message))
}

/** All from an address on, in chunks of a size. */
async function readAll(bytes: LogBytes, from: number, size: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let at = from; ;) {
    const chunk = await bytes.readAt(at, size)
    if (chunk === null) return Buffer.concat(chunks)
    chunks.push(chunk.bytes)
    at = chunk.address + chunk.bytes.length
  }
}

async function next(bytes: LogBytes): Promise<string> {
  const chunks: Buffer[] = []
  for (let chunk = await bytes.next(7); chunk !== null; chunk = await bytes.next(7)) chunks.push(chunk.bytes)
  return Buffer.concat(chunks).toString()
}

const compressions = hasZstd ? (['none', 'gzip', 'zstd'] as const) : (['none', 'gzip'] as const)

test('what stands in archives and in the file is one text, by address', async () => {
  const part = fc.record({
    text: fc.string({ minLength: 1, maxLength: 60 }),
    compression: fc.constantFrom(...compressions),
    filler: fc.constantFrom(0, 5),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 4 }),
      fc.string({ maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat(300),
      async (parts, last, size, start) => {
        const log = new RotatingLog()
        for (const { text, compression, filler } of parts) {
          log.append(text)
          log.rotate(compression, { filler })
        }
        log.append(last)
        const whole = Buffer.from([...parts.map(({ text }) => text), last].join(''))
        const bytes = open(log)
        expect(bytes.oldest).toBe(0)
        expect(bytes.end).toBe(whole.length)
        expect(await readAll(bytes, 0, size)).toEqual(whole)
        const from = start % (whole.length + 1)
        expect(await readAll(bytes, from, size)).toEqual(whole.subarray(from))
        bytes.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('an archive that has been removed is said, and the rest is read', async () => {
  const log = new RotatingLog()
  log.append('one\n')
  log.rotate('gzip')
  log.append('two\n')
  log.rotate('none')
  log.append('three\n')
  unlinkSync(join(log.path, '..', log.ledger.archives[0]?.name ?? ''))
  const said: string[] = []
  const bytes = open(log, said)
  expect((await readAll(bytes, 0, 100)).toString()).toBe('two\nthree\n')
  expect(said).toEqual([expect.stringMatching(/api-0\.out\.log\..*\.gz cannot be read: it has been removed$/)])
  bytes.close()
})

test('a damaged archive is said, and the rest is read', async () => {
  const log = new RotatingLog()
  log.append('one\n')
  log.rotate('gzip')
  log.append('two\n')
  writeFileSync(join(log.path, '..', log.ledger.archives[0]?.name ?? ''), 'no gzip at all')
  const said: string[] = []
  const bytes = open(log, said)
  expect((await readAll(bytes, 0, 100)).toString()).toBe('two\n')
  expect(said[0]).toContain('cannot be read: incorrect header check')
  bytes.close()
})

describe('following', () => {
  test('goes on through rotations, however many there were since the last look', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one\ntw')
    expect(await next(bytes)).toBe('one\ntw')
    log.append('o\nthree\n')
    log.rotate('none', { filler: 4 })
    log.append('four\n')
    log.rotate('gzip')
    log.append('five\n')
    expect(await next(bytes)).toBe('o\nthree\nfour\nfive\n')
    log.rotate('gzip')
    expect(await next(bytes)).toBe('')
    log.append('six\n')
    expect(await next(bytes)).toBe('six\n')
    bytes.close()
  })

  test.each([
    ['before the head has gone', false],
    ['after the head has gone', true],
  ])('reads right in a rotation that stands still, %s', async (_, isGone) => {
    const log = new RotatingLog()
    log.append('one\n')
    const bytes = open(log)
    expect(await next(bytes)).toBe('one\n')
    log.append('two\n')
    const text = readFileSync(log.path)
    const name = 'api-0.out.log.20260101T000000.000Z'
    writeFileSync(join(log.path, '..', name), text)
    const archive = { name, start: 0, end: 8, firstAt: null, lastAt: 0, bytes: 8, compression: 'none' as const }
    const mark = '#eco'
    const rotation = { method: 'collapse' as const, archive, base: 8, filler: 0, size: 8 }
    log.change({ pending: { ...rotation, mark, isMarked: true, helper: null, stopped: [] } })
    writeFileSync(log.path, isGone ? '' : mark + text.toString().slice(mark.length))
    log.append('three\n')
    expect(await next(bytes)).toBe('two\nthree\n')
    bytes.close()
  })

  test('a file that others cut is read from its new start', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one\ntwo\n')
    expect(await next(bytes)).toBe('one\ntwo\n')
    truncateSync(log.path, 0)
    log.append('3\n')
    const chunk = await bytes.next(100)
    expect(chunk).toMatchObject({ isNew: true })
    expect(chunk?.bytes.toString()).toBe('3\n')
    // The daemon notes it later, and counts in its own way.
    log.change({ base: 4, size: 2 })
    expect(await next(bytes)).toBe('')
    log.append('4\n')
    expect(await next(bytes)).toBe('4\n')
    log.rotate('gzip')
    log.append('5\n')
    expect(await next(bytes)).toBe('5\n')
    bytes.close()
  })

  test('a cut that the daemon has noted before, at less than has been read', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one\ntwo\n')
    expect(await next(bytes)).toBe('one\ntwo\n')
    truncateSync(log.path, 0)
    log.change({ base: 4, size: 0 })
    log.append('three\nfour\n')
    expect(await next(bytes)).toBe('three\nfour\n')
    bytes.close()
  })

  test('a rotation whose archive is not kept', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one\ntwo\nthree\n')
    expect((await bytes.next(100))?.bytes.toString()).toBe('one\ntwo\nthree\n')
    writeFileSync(log.path, '#ee\nfour\n')
    log.change({ base: 10, filler: 1 })
    expect(await next(bytes)).toBe('four\n')
    bytes.close()
  })

  test('a file that the daemon knows to be another one, before the end of this one was read', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one\ntwo\n')
    expect(await next(bytes)).toBe('one\ntwo\n')
    renameSync(log.path, `${log.path}.1`)
    appendFileSync(`${log.path}.1`, 'late\n')
    writeFileSync(log.path, 'three\n')
    log.change({ base: 4, size: 6, inode: statSync(log.path).ino })
    expect(await next(bytes)).toBe('late\nthree\n')
    log.append('four\n')
    log.rotate('gzip')
    log.append('five\n')
    expect(await next(bytes)).toBe('four\nfive\n')
    bytes.close()
  })

  test('a cut that is noted only with the next rotation', async () => {
    const log = new RotatingLog()
    const bytes = open(log)
    log.append('one, which is long\n')
    expect(await next(bytes)).toBe('one, which is long\n')
    truncateSync(log.path, 0)
    log.append('2\n')
    expect(await next(bytes)).toBe('2\n')
    log.append('3\n')
    log.ledger = { ...log.ledger, base: 10 }
    log.rotate('none')
    log.append('4\n')
    expect(await next(bytes)).toBe('3\n4\n')
    bytes.close()
  })

  test('a file in the place of another one is read, and the other one handed over', async () => {
    const log = new RotatingLog()
    let former: [fd: number, offset: number] | null = null
    const bytes = new LogBytes(
      log.home,
      log.path,
      null,
      () => {},
      (...it) => {
        former = it
      },
    )
    log.append('one\n')
    expect(await next(bytes)).toBe('one\n')
    renameSync(log.path, `${log.path}.1`)
    appendFileSync(`${log.path}.1`, 'late\n')
    writeFileSync(log.path, 'two\n')
    expect(await next(bytes)).toBe('late\ntwo\n')
    expect(former).toEqual([expect.any(Number), 9])
    bytes.close()
  })

  test('a file that comes later, and one whose name goes', async () => {
    const log = new RotatingLog()
    unlinkSync(log.path)
    const bytes = open(log)
    expect(await next(bytes)).toBe('')
    log.append('one\n')
    expect(await next(bytes)).toBe('one\n')
    rmSync(log.path)
    expect(await next(bytes)).toBe('')
    log.append('two\n')
    expect(await next(bytes)).toBe('two\n')
    bytes.close()
  })
})

/** Does something right before a file is read the next time. */
function beforeRead(path: string, act: () => void): void {
  const { readSync } = fs
  const restore = (): void => {
    fs.readSync = readSync
    syncBuiltinESMExports()
  }
  fs.readSync = ((fd: number, ...rest: [NodeJS.ArrayBufferView]) => {
    if (fs.fstatSync(fd).ino === statSync(path).ino) {
      restore()
      act()
    }
    return readSync(fd, ...rest)
  }) as typeof readSync
  syncBuiltinESMExports()
  onTestFinished(restore)
}

test.each(compressions)('a rotation between the look at the ledger and the read (%s)', async (compression) => {
  const log = new RotatingLog()
  log.append('one\ntwo\n')
  const bytes = open(log)
  beforeRead(log.path, () => {
    log.rotate(compression)
    log.append('three\n')
  })
  expect((await readAll(bytes, 0, 100)).toString()).toBe('one\ntwo\nthree\n')
  bytes.position = 8
  beforeRead(log.path, () => {
    log.rotate(compression, { filler: 3 })
    log.append('four\n')
  })
  expect(await next(bytes)).toBe('three\nfour\n')
  bytes.close()
})

test('reads every byte once while a rotation goes on at any moment', async () => {
  const log = new RotatingLog()
  const count = 8_000
  const bytes = open(log)
  const ledger = indexFile(log.home, log.path, 'json')
  mkdirSync(dirname(ledger), { recursive: true })
  const script = join(import.meta.dirname, 'rotates-all-the-time.mjs')
  const writer = execFile(process.execPath, [script, log.path, ledger, String(count)])
  const ended = once(writer, 'exit')
  const chunks: Buffer[] = []
  const last = `line ${count}\n`
  for (let text = ''; !text.endsWith(last); text = Buffer.concat(chunks.slice(-2)).toString()) {
    const chunk = await bytes.next(64 * 1024)
    if (chunk === null) {
      if (writer.exitCode !== null && !bytes.hasNews) break
      await new Promise((resolve) => setImmediate(resolve))
      continue
    }
    expect(chunk.isNew).toBe(false)
    chunks.push(chunk.bytes)
  }
  await ended
  const lines = Buffer.concat(chunks).toString().split('\n')
  expect(lines.pop()).toBe('')
  expect(lines.length).toBe(count)
  expect(lines.findIndex((line, i) => line !== `line ${i + 1}`)).toBe(-1)
  bytes.close()
}, 60_000)
