import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FollowedFile } from '../../../src/logs/followed-file.ts'
import { indexFile } from '../../../src/logs/layout.ts'
import { newLedger, readLedger, writeLedger } from '../../../src/logs/ledger.ts'
import { Compressor } from '../../../src/logs/rotate/compressor.ts'
import { Rotator } from '../../../src/logs/rotate/rotator.ts'
import { SPEC_DEFAULTS } from '../../../src/model/defaults.ts'
import { eventually } from '../../support/eventually.ts'

const NAME = 'api-0.out.log.20260101T000000.000Z'
const LOOK_MS = 1000

let home: string
let path: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-rotator-'))
  path = join(home, 'api-0.out.log')
})
afterEach(() => rmSync(home, { recursive: true }))

const there = (name: string): boolean => existsSync(join(home, name))

test('an archive is where its ledger says, also when that cannot be written once it is compressed', async () => {
  writeFileSync(path, '')
  writeFileSync(join(home, NAME), 'hello\n')
  const archive = { name: NAME, start: 0, end: 6, firstAt: null, lastAt: 0, bytes: 6, compression: 'none' } as const
  writeLedger(home, { ...newLedger(path), base: 6, archives: [archive] })
  const tell = (): void => {}
  const file = new FollowedFile(home, path)
  file.look(Date.now())
  const context = { home, helper: 'unused', compressor: new Compressor(), tell }
  const policy = SPEC_DEFAULTS.rotation
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  const inTheWay = `${indexFile(home, path, 'json')}.${process.pid}.tmp`
  mkdirSync(inTheWay)
  new Rotator(file, context).look(policy, Date.now(), LOOK_MS)
  await eventually(() => expect(said).toHaveBeenCalledWith(expect.stringContaining('its ledger could not be written')))
  said.mockRestore()
  expect(readLedger(home, path).archives).toEqual([archive])
  expect([there(NAME), there(`${NAME}.gz`)]).toEqual([true, false])

  rmdirSync(inTheWay)
  const next = new Rotator(file, context)
  next.look(policy, Date.now(), LOOK_MS)
  await eventually(() => next.isDone(policy))
  expect(readLedger(home, path).archives).toMatchObject([{ name: `${NAME}.gz`, compression: 'gzip', end: 6 }])
  expect(there(NAME)).toBe(false)
  expect(gunzipSync(readFileSync(join(home, `${NAME}.gz`))).toString()).toBe('hello\n')
})
