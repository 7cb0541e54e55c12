import { expect, test } from 'vitest'
import { bytes, word } from '../../src/doctor/finding.ts'
import { parseTcp, parseUnix } from '../../src/doctor/look/listeners.ts'

test('who listens, of the tables of the kernel', () => {
  const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000 20 4 30 10 -1
`
  expect(parseTcp(tcp)).toEqual([{ port: 3000, inode: '4711' }])
  expect(parseTcp('')).toEqual([])
  const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01  4711 /run/my eco/.sock.12
0000000000000000: 00000003 00000000 00000000 0001 03  4712 /run/my eco/.sock.12
0000000000000000: 00000002 00000000 00010000 0001 01  4713
`
  expect(parseUnix(unix)).toEqual([{ path: '/run/my eco/.sock.12', inode: '4711' }])
})

test.each([
  ['/srv/eco', '/srv/eco'],
  ['/srv/my eco', `'/srv/my eco'`],
  [`it's`, `'it'\\''s'`],
  ['a;rm -rf', `'a;rm -rf'`],
])('a word for a shell: %s', (text, expected) => {
  expect(word(text)).toBe(expected)
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [250 * 2 ** 30, '250 GiB'],
])('%i bytes', (amount, expected) => {
  expect(bytes(amount)).toBe(expected)
})
