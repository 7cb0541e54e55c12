/** PM2 as a contestant: installed by the bench itself, with a PM2_HOME of its own. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.mjs'
import { names } from './eco.mjs'

export const PM2_VERSION = '7.0.4'

/** Kept between runs of the bench, unlike everything else. */
const prefix = join(tmpdir(), `eco-bench-pm2-${PM2_VERSION}`)
const binary = join(prefix, 'node_modules', 'pm2', 'bin', 'pm2')

/** Installs PM2 once. Returns why it cannot take part, or null. */
export async function installPm2() {
  if (installedVersion() === PM2_VERSION) return null
  mkdirSync(prefix, { recursive: true })
  writeFileSync(join(prefix, 'package.json'), '{ "private": true }\n')
  const install = ['npm', 'install', `pm2@${PM2_VERSION}`, '--prefix', prefix, '--no-audit', '--no-fund']
  process.stderr.write(`installing pm2@${PM2_VERSION} into ${prefix}\n`)
  try {
    await run(install, { env: process.env, timeout: 300_000 })
  } catch (error) {
    return `pm2@${PM2_VERSION} could not be installed: ${error.message.split('\n').slice(0, 4).join(' ')}`
  }
  return installedVersion() === PM2_VERSION ? null : `pm2@${PM2_VERSION} is not in ${prefix} after its installation`
}

function installedVersion() {
  try {
    return JSON.parse(readFileSync(join(prefix, 'node_modules', 'pm2', 'package.json'), 'utf8')).version
  } catch {
    return null
  }
}

export function createPm2(scratch) {
  const home = scratch.makeFolder('pm2')
  const env = scratch.env({ PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' })
  let up = false
  const pm2 = {
    /** What starts `pm2 logs` and the like, which do not end by themselves. */
    command: [process.execPath, binary],
    /** `pm2-runtime`, which does not end by itself. */
    runtime: [process.execPath, binary.replace(/pm2$/, 'pm2-runtime')],
    env,
    cli: (...args) => run([process.execPath, binary, ...args], { env, cwd: scratch.folder }),
    /** The same, for commands whose failure is the answer. */
    attempt: (...args) => run([process.execPath, binary, ...args], { env, cwd: scratch.folder, allowFailure: true }),
    async start() {
      await pm2.cli('ping')
      up = true
    },
    startFile: (file) => pm2.cli('start', file),
    startOrReload: (file) => pm2.cli('startOrReload', file),
    deleteAll: () => pm2.cli('delete', 'all'),
    async list() {
      const { stdout } = await pm2.cli('jlist')
      // A daemon that had to be started says so first: "[PM2] Spawning PM2 daemon …".
      const line = stdout.split('\n').findLast((it) => it.startsWith('[{') || it.startsWith('[]'))
      return JSON.parse(line ?? 'null')
    },
    daemonPid: async () => Number(readFileSync(join(home, 'pm2.pid'), 'utf8')),
    async pids() {
      return (await pm2.list()).map(({ pid }) => pid).toSorted((a, b) => a - b)
    },
    async stop() {
      if (up) await pm2.cli('kill')
    },
  }
  return pm2
}

/** A PM2 file of `count` equal apps. `interpreter: none` runs a program, as eco's `command` does. */
export function pm2File(count, { script, args = [], interpreter, env = {} }) {
  const app = { script, args, env, ...(interpreter ? { interpreter } : {}) }
  return JSON.stringify({ apps: names(count).map((name) => ({ name, ...app })) })
}
