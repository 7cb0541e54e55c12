// Writes LINES numbered lines of 100 bytes, line by line, and reports how long that took. bench/lib/log-lines.mjs has the
// shape of a line.
//
//   FOLDER  `go` in it starts the writing, `leave` ends the app; `started`, `half` and `report.json` are written to it
//   WRITE   console: console.log; stdout: process.stdout.write
//   TURN    lines for each turn of the event loop, as a server writes some for each request
//   END     leave (when told to) | exit | throw | abort: what comes right after the last line
//   PACE    lines a second; without it as fast as possible
//   STALLS  1: also the longest time between two lines, at the cost of a look at the clock for each

const { existsSync, renameSync, writeFileSync } = require('node:fs')
const path = require('node:path')

const { FOLDER, WRITE = 'console', END = 'leave', STALLS = '' } = process.env
const [LINES, TURN, PACE] = ['LINES', 'TURN', 'PACE'].map((name) => Number(process.env[name] ?? 0))
const FILLING = 'x'.repeat(79)
const write = WRITE === 'console' ? (line) => console.log(line) : (line) => process.stdout.write(`${line}\n`)

let next = 0
let started = 0
let cpu
let longest = 0
let last = 0

note('started', String(process.pid))
awaitGo()

function awaitGo() {
  if (!existsSync(path.join(FOLDER, 'go'))) return void setTimeout(awaitGo, 5)
  started = last = performance.now()
  cpu = process.cpuUsage()
  turn()
}

function turn() {
  const due = PACE > 0 ? Math.floor(((performance.now() - started) / 1000) * PACE) : next + (TURN || 1000)
  const until = Math.min(LINES, due)
  for (; next < until; next++) {
    const number = String(next).padStart(9, '0')
    write(`${number} ${FILLING} ${number}`)
    if (STALLS) measureStall()
    if (next === LINES >> 1) note('half', String(process.memoryUsage.rss()))
  }
  if (next === LINES) return end()
  if (PACE > 0) setTimeout(turn, 10)
  else setImmediate(turn)
}

function measureStall() {
  const now = performance.now()
  longest = Math.max(longest, now - last)
  last = now
}

function end() {
  if (END === 'exit') process.exit(0)
  if (END === 'throw') throw new Error('thrown right after the last line')
  if (END === 'abort') process.abort()
  const loopMs = performance.now() - started
  // Called once all that was written before has gone out: to the file, or into the pipe.
  process.stdout.write('', () => {
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    const maxRss = process.resourceUsage().maxRSS * 1024
    note('report.json', JSON.stringify({ ms, loopMs, cpuMs: (user + system) / 1000, maxRss, longestMs: longest }))
    awaitLeave()
  })
}

// The CPU time of an app that has ended counts as its parent's.
function awaitLeave() {
  if (!existsSync(path.join(FOLDER, 'leave'))) setTimeout(awaitLeave, 20)
}

/** Complete as soon as it is there. */
function note(name, text) {
  writeFileSync(path.join(FOLDER, `${name}.new`), text)
  renameSync(path.join(FOLDER, `${name}.new`), path.join(FOLDER, name))
}
