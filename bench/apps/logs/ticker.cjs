// Writes RATE lines of 100 bytes a second, for ever. Each has a number and the time.
const RATE = Number(process.env.RATE)
const TICK_MS = 50
const started = Date.now()
let written = 0

setInterval(() => {
  for (const due = ((Date.now() - started) / 1000) * RATE; written < due; written++) {
    console.log(`${String(written).padStart(9, '0')} ${new Date().toISOString()} ${'x'.repeat(65)}`.slice(0, 99))
  }
}, TICK_MS)
