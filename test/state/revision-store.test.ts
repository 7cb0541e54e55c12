import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Hold, NOTHING_APPLIED, SPEC_FORMAT } from '../../src/model/applied.ts'
import { readRevision } from '../../src/state/read-revision.ts'
import { KEPT_REVISIONS, type Revision, RevisionStore } from '../../src/state/revision-store.ts'
import { spec } from '../planner/scenario.ts'

const SCOPE = { project: 'shop', environment: 'production' }
const HOLD: Hold = { instances: 0, verb: 'stop', by: 'ann', at: 5 }

let home: string
let store: RevisionStore

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-revisions-'))
  store = new RevisionStore(home, SCOPE)
})

afterEach(() => rmSync(home, { recursive: true }))

function revision(serial: number, fields: Partial<Revision> = {}): Revision {
  return {
    format: SPEC_FORMAT,
    serial,
    scope: SCOPE,
    source: { file: '/srv/shop/ecosystem.yaml', git: null },
    at: '2026-01-02T03:04:05.000Z',
    by: 'ann',
    plan: `p-${serial}-00000000`,
    exit_code: 0,
    apps: { api: { version: serial, spec: spec() } },
    ...fields,
  }
}

const scopeDir = (): string => join(home, 'scopes', 'shop', 'production')
const damage = (name: string, text: string): void => writeFileSync(join(scopeDir(), name), text)

describe('revisions', () => {
  test('a scope that was never applied is empty', () => {
    expect(store.load()).toEqual(NOTHING_APPLIED)
  })

  test('the last one counts, also past six digits', () => {
    for (const serial of [1, 2, 999_999, 1_000_000]) store.save(revision(serial))
    expect(store.load()).toEqual({
      serial: 1_000_000,
      source: { file: '/srv/shop/ecosystem.yaml', git: null },
      apps: { api: { version: 1_000_000, spec: spec() } },
      holds: {},
    })
  })

  test('what is no revision is overlooked', () => {
    store.save(revision(1))
    damage('revisions/000002.json.77.tmp', '{')
    damage('revisions/000003.json.damaged', '{')
    damage('revisions/notes.json', '{')
    expect(store.load().serial).toBe(1)
  })

  test.each([
    ['half a file', '{"format":1,', /JSON/],
    ['an empty file', '', /JSON/],
    ['no object', 'null', /not an object/],
    ['no format', '{"serial":2,"apps":{}}', /has no format/],
    ['another serial', '{"format":1,"serial":9,"apps":{}}', /says serial 9/],
    ['no apps', '{"format":1,"serial":2}', /has no apps/],
    ['a newer format', '{"format":3,"serial":2,"apps":{}}', /format 3 is newer than this eco knows \(2\); upgrade eco/],
  ])('%s is refused, and no older one is taken instead', (_, text, reason) => {
    store.save(revision(1))
    damage('revisions/000002.json', text)
    expect(() => store.load()).toThrow(reason)
    expect(() => store.load()).toThrow(
      expect.objectContaining({
        code: 'STATE_DAMAGED',
        message: expect.stringMatching(/^The state of shop\/production is damaged: .*000002\.json: /),
        hint: expect.stringContaining('mv '),
      }),
    )
  })

  test('a folder that cannot be read is not an empty one', () => {
    mkdirSync(scopeDir(), { recursive: true })
    damage('revisions', 'a file where the folder should be')
    expect(() => store.load()).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }))
  })
})

describe('older revisions', () => {
  test('are kept, the newest ones, and go only after the new one is there', () => {
    for (let serial = 1; serial <= KEPT_REVISIONS + 3; serial++) store.save(revision(serial))
    expect(store.serials()).toEqual(Array.from({ length: KEPT_REVISIONS }, (_, index) => index + 4))
    expect(store.load().serial).toBe(KEPT_REVISIONS + 3)
    // One that cannot be written costs none of them.
    mkdirSync(join(scopeDir(), 'revisions', '000104.json'))
    expect(() => store.save(revision(104))).toThrow('EISDIR')
    rmdirSync(join(scopeDir(), 'revisions', '000104.json'))
    expect(store.serials().at(0)).toBe(4)
  })

  test('are never all that is removed: what is no revision does not count', () => {
    for (let serial = 1; serial <= KEPT_REVISIONS; serial++) store.save(revision(serial))
    damage('revisions/000900.json.damaged', '{')
    damage('revisions/notes.txt', '')
    store.save(revision(KEPT_REVISIONS + 1))
    expect(store.serials().at(0)).toBe(2)
    expect(readdirSync(join(scopeDir(), 'revisions'))).toEqual(
      expect.arrayContaining(['000900.json.damaged', 'notes.txt']),
    )
  })

  test('that cannot be removed are no reason to refuse the new one', () => {
    for (let serial = 1; serial <= KEPT_REVISIONS; serial++) store.save(revision(serial))
    rmSync(store.path(1))
    mkdirSync(store.path(1)) // unlink fails
    store.save(revision(KEPT_REVISIONS + 1))
    expect(store.load().serial).toBe(KEPT_REVISIONS + 1)
  })

  test('are read one by one: a damaged one costs itself, an unknown one names the range', () => {
    for (const serial of [4, 5, 6]) store.save(revision(serial))
    damage('revisions/000005.json', '{"format":')
    expect(readRevision(store, 4)).toEqual(revision(4))
    expect(() => readRevision(store, 5)).toThrow(
      expect.objectContaining({
        code: 'STATE_DAMAGED',
        message: expect.stringMatching(/^Revision 5 of shop\/production is damaged: .*000005\.json: .*JSON/),
      }),
    )
    expect(() => readRevision(store, 7)).toThrow('shop/production has no revision 7: it has 4 to 6.')
    expect(() => readRevision(store, 2)).toThrow(
      `shop/production has no revision 2: it has 4 to 6; the newest ${KEPT_REVISIONS} are kept.`,
    )
    expect(store.load().serial).toBe(6)
  })

  test('say which one a rollback went to', () => {
    store.save(revision(1))
    store.save(revision(2, { rollback_to: 1 }))
    expect(readRevision(store, 2).rollback_to).toBe(1)
    expect(readRevision(store, 1)).not.toHaveProperty('rollback_to')
  })
})

describe('holds', () => {
  test('are remembered without a revision, and end without a trace', () => {
    store.saveHolds({ api: HOLD })
    expect(store.load()).toEqual({ ...NOTHING_APPLIED, holds: { api: HOLD } })
    store.saveHolds({})
    store.saveHolds({})
    expect(readdirSync(scopeDir())).toEqual([])
    expect(store.load().holds).toEqual({})
  })

  test.each(['{', '{}', 'null', '{"holds":null}'])('damaged holds are refused: %s', (text) => {
    store.saveHolds({ api: HOLD })
    damage('holds.json', text)
    expect(() => store.load()).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }))
  })
})
