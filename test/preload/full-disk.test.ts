/** Real Node processes whose stdout and stderr are on a disk that is full: /dev/full, where every write is refused. */

import { spawnSync } from 'node:child_process'
import { openSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { supervision } from './supervised.ts'

const supervised = supervision()
const FULL = '/dev/full'
const TIMES = 5

interface Ended {
  readonly status: number | null
  /** What it says at descriptor 3. */
  readonly said: string
}

/** @param declared the files that eco opened, as ECO_OUTPUT has them */
function run(code: string, declared = identity(FULL), stdout = FULL): Ended {
  const say = `const say = (text) => require('fs').writeSync(3, text);`
  const fds = [openSync(stdout, 'a'), openSync(FULL, 'a')] as const
  const { status, output } = spawnSync(process.execPath, ['-e', `${say}${code}`], {
    stdio: ['ignore', ...fds, 'pipe'],
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      NODE_OPTIONS: `--require ${JSON.stringify(supervised.preload)}`,
      ...(declared === '' ? {} : { ECO_OUTPUT: declared }),
    },
  })
  return { status, said: output[3] ?? '' }
}

function identity(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

/** Turns of the loop between the writes: errors of streams come late. */
const often = (write: string): string => `
  let n = 0
  const timer = setInterval(() => {
    ${write}
    if (++n === ${TIMES}) { clearInterval(timer); say('lives') }
  }, 1)`

const WAYS: readonly [name: string, write: string][] = [
  ['console.log', `console.log('ähm')`],
  ['console.error', `console.error('ähm')`],
  ['process.stdout.write', `process.stdout.write('ähm')`],
  ['process.stderr.write', `process.stderr.write('ähm')`],
  ['fs.writeSync of text', `if (fs.writeSync(1, 'ähm') !== 4) say('wrong')`],
  ['fs.writeSync of text in an encoding', `if (fs.writeSync(1, 'ähm', null, 'latin1') !== 3) say('wrong')`],
  ['fs.writeSync of bytes', `if (fs.writeSync(2, Buffer.from('12345')) !== 5) say('wrong')`],
  ['fs.writeSync of some bytes', `if (fs.writeSync(1, Buffer.from('12345'), 1, 3) !== 3) say('wrong')`],
  ['fs.writeSync with options', `if (fs.writeSync(1, Buffer.from('12345'), { offset: 2 }) !== 3) say('wrong')`],
  ['fs.writevSync', `if (fs.writevSync(1, [Buffer.from('123'), Buffer.from('45')]) !== 5) say('wrong')`],
  ['fs.write of text', `fs.write(1, 'ähm', (e, n) => { if (e || n !== 4) say('wrong') })`],
  [
    'fs.write of bytes',
    `fs.write(1, Buffer.from('12345'), 1, 3, null, (e, n, b) => { if (e || n !== 3 || b.length !== 5) say('wrong') })`,
  ],
  ['fs.writev', `fs.writev(1, [Buffer.from('123'), Buffer.from('45')], (e, n) => { if (e || n !== 5) say('wrong') })`],
  [
    'promises of fs.write',
    `require('util').promisify(fs.write)(1, Buffer.from('123')).then((it) => { if (it.bytesWritten !== 3) say('wrong') })`,
  ],
  ['a stream of descriptor 1', `fs.createWriteStream(null, { fd: 1, autoClose: false }).end('x')`],
]

test.each(WAYS)('a full disk does not end an app that logs by %s', (_, write) => {
  expect(run(`const fs = require('fs'); ${often(write)}`)).toEqual({ status: 0, said: 'lives' })
})

test('a worker lives on as well', () => {
  const code = often(`require('fs').writeSync(1, 'x'); console.log('y'); process.stdout.write('z')`)
  const worker = `const say = (text) => require('fs').writeSync(3, text);${code}`
  const started = `new (require('worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })`
  expect(run(`${started}.on('exit', (code) => say(' ended with ' + code))`)).toEqual({
    status: 0,
    said: 'lives ended with 0',
  })
})

test('who listens for errors of its stdout hears of each', () => {
  const code = `process.stdout.on('error', ({ code }) => say(code + ' '));${often(`process.stdout.write('x')`)}`
  expect(run(code)).toEqual({ status: 0, said: `${'ENOSPC '.repeat(TIMES - 1)}livesENOSPC ` })
})

test('the callback of a write hears of it', () => {
  const { said } = run(often(`process.stdout.write('x', (error) => say(error.code + ' '))`))
  expect(said.match(/ENOSPC/g)).toHaveLength(TIMES)
})

test('without eco the app would end: what this is about', () => {
  for (const [name, write] of WAYS.filter(([name]) => /console\.log|stdout\.write|writeSync of text$/.test(name))) {
    expect(run(`const fs = require('fs'); ${often(write)}`, ''), name).toEqual({ status: 1, said: '' })
  }
})

test('what the app has redirected elsewhere is its own data, and its loss an error', () => {
  const mine = identity('/dev/null')
  expect(run(often(`require('fs').writeSync(1, 'x')`), mine)).toEqual({ status: 1, said: '' })
  expect(run(often(`process.stdout.write('x')`), mine)).toEqual({ status: 1, said: '' })
  const export_ = `const { status } = require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(often(`require('fs').writeSync(1, 'x')`).replaceAll("say('lives')", ''))}],
    { stdio: ['ignore', require('fs').openSync('${FULL}', 'a'), 'ignore'] }); say(String(status))`
  expect(run(export_, mine, '/dev/null')).toEqual({ status: 0, said: '1' })
})

test('other files and other errors are as ever', () => {
  const code = `
    const fs = require('fs')
    const other = fs.openSync('${FULL}', 'a')
    try { fs.writeSync(other, 'x') } catch ({ code }) { say(code + ' ') }
    fs.write(other, 'x', ({ code }) => {
      say(code + ' ')
      try { fs.writeSync(1, {}) } catch ({ code }) { say(code + ' ') }
      fs.closeSync(1)
      try { fs.writeSync(1, 'x') } catch ({ code }) { say(code) }
    })`
  expect(run(code)).toEqual({ status: 0, said: 'ENOSPC ENOSPC ERR_INVALID_ARG_TYPE EBADF' })
})

test('nothing that an app can see is other than without it', () => {
  const code = `
    const fs = require('fs')
    const look = (f) => f.name + f.length + Object.getOwnPropertySymbols(f).length
    say([fs.write, fs.writev, fs.writeSync, fs.writevSync].map(look).join() + Object.keys(process.stdout).includes('emit')
      + process.stdout.listenerCount('error') + process.stdout.constructor.name)`
  const [with_, without] = [run(code), run(code, '')]
  expect(with_).toEqual(without)
  expect(with_.status).toBe(0)
})
