import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AtPath, isFull, judgeFile, type Loss, lossText } from '../../src/logs/health.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30

describe('whether there is room', () => {
  test.each([
    ['a large disk with a gigabyte', GIB, 100 * GIB, false, false],
    ['a large disk with two megabytes', 2 * MIB, 100 * GIB, false, false],
    ['a large disk with less than one', MIB - 1, 100 * GIB, false, true],
    ['nothing at all', 0, 100 * GIB, false, true],
    ['a small disk, of which 5 % are free', 100 * 1024, 2 * MIB, false, false],
    ['a small disk, of which next to nothing is free', 4096, 2 * MIB, false, true],
    ['full, and some has been freed', 2 * MIB, 100 * GIB, true, true],
    ['full, and enough has been freed', 5 * MIB, 100 * GIB, true, false],
    ['a file system that tells no sizes', 0, 0, false, false],
  ])('%s', (_, freeBytes, totalBytes, wasFull, expected) => {
    expect(isFull({ freeBytes, totalBytes }, wasFull)).toBe(expected)
  })

  test('what swings about the border is one episode', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 * MIB }), { minLength: 1 }), (frees) => {
        let was = false
        let begun = 0
        for (const freeBytes of frees) {
          const is = isFull({ freeBytes, totalBytes: 100 * GIB }, was)
          if (is && !was) begun++
          was = is
        }
        expect(begun).toBeLessThanOrEqual(1)
      }),
    )
  })
})

const LOG = '/var/log/api.log'
const mine = { identity: '1:10', link: LOG }
const file: AtPath = { type: 'file', identity: '1:10' }
const other: AtPath = { type: 'file', identity: '1:11' }
const gone = { ...mine, link: `${LOG} (deleted)` }

test.each<[string, AtPath, typeof mine | null, boolean, Loss | null]>([
  ['all is well', file, mine, true, null],
  ['the same file, by another path of the same folder', file, { ...mine, link: '/data/log/api.log' }, false, null],
  ['nothing to be seen', { type: 'missing' }, null, true, null],
  ['removed', { type: 'missing' }, gone, true, { type: 'removed', isReplaced: false }],
  ['removed before anybody looked', { type: 'missing' }, gone, false, { type: 'removed', isReplaced: false }],
  ['removed, and another one made', other, gone, true, { type: 'removed', isReplaced: true }],
  ['a folder in its place', { type: 'other' }, gone, true, { type: 'removed', isReplaced: true }],
  ['moved', { type: 'missing' }, { ...mine, link: `${LOG}.1` }, false, { type: 'moved', to: `${LOG}.1` }],
  ['moved under any name', other, { ...mine, link: '/old/x' }, true, { type: 'moved', to: '/old/x' }],
  [
    'a symlink in its place',
    { type: 'symlink', target: '/etc/passwd' },
    gone,
    true,
    { type: 'symlink', target: '/etc/passwd' },
  ],
  ['the app has redirected its output', file, { identity: '1:20', link: '/srv/own.txt' }, false, null],
  ['the same, and the file is gone', file, { identity: '1:20', link: '/tmp/x (deleted)' }, false, null],
])('%s', (_, at, held, wasRight, expected) => {
  expect(judgeFile(LOG, at, held, wasRight)).toEqual(expected)
})

test('each loss is told with the next command', () => {
  const reload = 'eco reload api'
  for (const loss of [
    { type: 'removed', isReplaced: false },
    { type: 'moved', to: '/old/x' },
    { type: 'symlink', target: '/etc/passwd' },
  ] as const) {
    expect(lossText(LOG, loss, reload)).toMatch(/^its log file \/var\/log\/api\.log .*eco reload api opens a new one/)
  }
})
