// Writes numbered lines to a log, and rotates it after every few, as eco does: rotates-all-the-time.mjs LOG LEDGER COUNT
import { appendFileSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const [log, ledgerFile, count] = process.argv.slice(2)
let ledger = { format: 1, path: log, base: 0, filler: 0, inode: null, size: 0, archives: [], pending: null }

function note(fields) {
  ledger = { ...ledger, ...fields }
  writeFileSync(`${ledgerFile}.tmp`, JSON.stringify(ledger))
  renameSync(`${ledgerFile}.tmp`, ledgerFile)
}

function rotate(number) {
  const bytes = readFileSync(log)
  const name = `${basename(log)}.${number}`
  writeFileSync(join(dirname(log), name), bytes)
  const { base, archives } = ledger
  const end = base + bytes.length
  const archive = { name, start: base, end, firstAt: null, lastAt: 0, bytes: bytes.length, compression: 'none' }
  const pending = { method: 'stopped-copy', archive, base: end, filler: 0, size: bytes.length, mark: '' }
  note({ pending: { ...pending, isMarked: false, helper: null, stopped: [] } })
  truncateSync(log, 0)
  note({ base: end, inode: statSync(log).ino, archives: [...archives, archive], pending: null })
}

note({})
for (let i = 1; i <= Number(count); i++) {
  appendFileSync(log, `line ${i}\n`)
  if (i % 10 === 0) rotate(i)
}
