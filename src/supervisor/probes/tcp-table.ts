/**
 * The kernel's tables of tcp sockets, /proc/net/tcp and tcp6 (proc_net_tcp.rst). Reading one costs the kernel a walk
 * through its whole hash table, 3 ms on a large machine however few connections there are: read as seldom as possible.
 */

import { closeSync, openSync, readSync } from 'node:fs'

export interface TcpRow {
  /** Two hex digits. */
  readonly state: string
  /** 0: nobody has accepted it yet, or it is closed. */
  readonly inode: string
}

export const LISTENING = '0A'
export const SYN_RECEIVED = '03'

const TABLES = ['tcp', 'tcp6'] as const
/** A read gives a page at most; one that gives less than a page without two rows was the last. */
const FULL_READ = 4096 - 2 * 150
const page = Buffer.allocUnsafe(64 * 1024)

/** The server's end of a connection. The client's address matters: another machine may use the same port number. */
export function findConnection(serverPort: number, clientAddress: string, clientPort: number): TcpRow | null {
  const client = addressHex(clientAddress)
  for (const table of TABLES) {
    const address = client[table]
    if (address === null) continue
    const pattern = rowPattern(portHex(serverPort), `${address}:${portHex(clientPort)}`, '[0-9A-F]{2}')
    const found = pattern.exec(readTable(table, () => false))
    if (found) return { state: found[2] ?? '', inode: found[3] ?? '0' }
  }
  return null
}

/** Inodes of listening sockets, by port. They come first in the tables: no more than these is read. */
export function listeningSockets(): Map<number, string[]> {
  const found = new Map<number, string[]>()
  for (const table of TABLES) {
    const text = readTable(table, (sofar) => !lastRow(sofar).includes(`:0000 ${LISTENING} `))
    for (const row of text.matchAll(new RegExp(rowPattern('[0-9A-F]{4}', '[0-9A-F]+:0000', LISTENING), 'g'))) {
      const port = Number.parseInt(row[1] ?? '', 16)
      found.set(port, [...(found.get(port) ?? []), row[3] ?? '0'])
    }
  }
  return found
}

/** Local port, remote address, state, queues, timer, retransmits, uid, timeout, inode. */
function rowPattern(localPort: string, remote: string, state: string): RegExp {
  return new RegExp(`:(${localPort}) ${remote} (${state}) \\S+ \\S+ \\S+ +\\d+ +\\d+ (\\d+)`)
}

function readTable(table: (typeof TABLES)[number], isEnough: (text: string) => boolean): string {
  let fd: number
  try {
    fd = openSync(`/proc/net/${table}`, 'r')
  } catch {
    return ''
  }
  try {
    let text = ''
    for (;;) {
      const length = readSync(fd, page, 0, page.length, null)
      text += page.toString('latin1', 0, length)
      if (length < FULL_READ || isEnough(text)) return text
    }
  } catch {
    return ''
  } finally {
    closeSync(fd)
  }
}

function lastRow(text: string): string {
  const end = text.lastIndexOf('\n')
  return text.slice(text.lastIndexOf('\n', end - 1) + 1, end)
}

function portHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/** An address as each of the tables has it: 32-bit words in the byte order of the machine. null: never there. */
function addressHex(address: string): Readonly<Record<(typeof TABLES)[number], string | null>> {
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 === undefined) return { tcp: null, tcp6: v6Hex(address) }
  const word = wordHex(v4.split('.').map(Number))
  return { tcp: word, tcp6: `0000000000000000FFFF0000${word}` }
}

function v6Hex(address: string): string {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const groups = (part: string): string[] => part.split(':').filter(Boolean)
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  const bytes = all.map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255])
  return [0, 4, 8, 12].map((at) => wordHex(bytes.slice(at, at + 4))).join('')
}

function wordHex(bytes: readonly number[]): string {
  return bytes
    .toReversed()
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join('')
}
