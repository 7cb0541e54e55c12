#!/usr/bin/env node
/**
 * node bench/run.mjs [scenario…] [--rounds N] [--quick] [--cases TEXT] [--without-pm2] [--json FILE] [--list]
 *
 * Measures eco beside PM2 and beside the floor the machine allows, and prints one table. See bench/README.md.
 */

import { readdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { createEco, ecoMissing, ecoVersion } from './lib/eco.mjs'
import { createPm2, installPm2, PM2_VERSION } from './lib/pm2.mjs'
import { createScratch } from './lib/scratch.mjs'
import { skipped } from './lib/stats.mjs'
import { renderTable } from './lib/table.mjs'

const folder = new URL('./scenarios/', import.meta.url)
const known = readdirSync(folder)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''))
  .toSorted()

const { values: flags, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean' },
    cases: { type: 'string' },
    'without-pm2': { type: 'boolean' },
    json: { type: 'string' },
    list: { type: 'boolean' },
  },
})
if (flags.list) {
  console.log(known.join('\n'))
  process.exit()
}
for (const name of wanted) if (!known.includes(name)) fail(`no scenario ${name}; there are: ${known.join(', ')}`, 4)
if (flags.rounds !== undefined && !/^[1-9]\d*$/.test(flags.rounds)) fail('--rounds takes a whole number from 1', 4)
if (process.platform !== 'linux') fail('the bench reads /proc: it runs on Linux only', 4)

const missing = { eco: ecoMissing(), pm2: flags['without-pm2'] ? 'not asked for' : await installPm2() }
for (const [name, reason] of Object.entries(missing)) if (reason) say(`${name} IS LEFT OUT: ${reason}`)

const machine = {
  node: process.version,
  cpus: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  kernel: release(),
  eco: missing.eco ? null : ecoVersion(),
  pm2: missing.pm2 ? null : PM2_VERSION,
}
const results = []
for (const name of wanted.length ? wanted : known) results.push(await measure(name))

console.log(
  Object.entries(machine)
    .map(([key, value]) => `${key} ${value ?? 'left out'}`)
    .join(' · '),
)
console.log(renderTable(results))
if (flags.json)
  writeFileSync(flags.json, `${JSON.stringify({ format_version: '1.0', machine, scenarios: results }, null, 2)}\n`)
process.exitCode = results.some(({ error }) => error) ? 1 : 0

/** One scenario, in a scratch folder of its own; whatever happens in it, nothing of it stays. */
async function measure(name) {
  const { rounds, run } = await import(new URL(`${name}.mjs`, folder))
  const load = loadavg()[0]
  say(`${name} … (load ${load.toFixed(1)})`)
  const scratch = createScratch(name)
  const eco = missing.eco ? null : createEco(scratch)
  const pm2 = missing.pm2 ? null : createPm2(scratch)
  try {
    const { quick = false, cases = '' } = flags
    const rows = await run({ scratch, eco, pm2, missing, rounds: Number(flags.rounds ?? rounds), quick, cases, say })
    await Promise.all([eco?.stop(), pm2?.stop()])
    return { name, load, rows }
  } catch (error) {
    say(`${name} FAILED: ${error.stack}`)
    return { name, load, error: error.message, rows: [skipped('the scenario failed', error.message.split('\n')[0])] }
  } finally {
    scratch.remove()
  }
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text, code) {
  say(text)
  process.exit(code)
}
