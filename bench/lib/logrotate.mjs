/**
 * pm2-logrotate, the module that rotates PM2's logs. Installed once, beside PM2; into a PM2_HOME it is put as
 * `pm2 install pm2-logrotate` leaves it there, which would ask the registry each time.
 */

import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { run } from './command.mjs'
import { PM2_VERSION } from './pm2.mjs'

const NAME = 'pm2-logrotate'
export const LOGROTATE_VERSION = '3.0.0'

const prefix = join(tmpdir(), `eco-bench-${NAME}-${LOGROTATE_VERSION}-pm2-${PM2_VERSION}`)

/** Returns why it cannot take part, or null. */
export async function installLogrotate() {
  if (installedVersion() === LOGROTATE_VERSION) return null
  mkdirSync(prefix, { recursive: true })
  // It asks for the latest PM2.
  writeFileSync(join(prefix, 'package.json'), JSON.stringify({ private: true, overrides: { pm2: PM2_VERSION } }))
  const install = ['npm', 'install', `${NAME}@${LOGROTATE_VERSION}`, '--prefix', prefix, '--no-audit', '--no-fund']
  process.stderr.write(`installing ${NAME}@${LOGROTATE_VERSION} into ${prefix}\n`)
  try {
    await run(install, { env: process.env, timeout: 300_000 })
  } catch (error) {
    return `${NAME} could not be installed: ${error.message.split('\n').slice(0, 4).join(' ')}`
  }
  return installedVersion() === LOGROTATE_VERSION ? null : `${NAME} is not in ${prefix} after its installation`
}

function installedVersion() {
  try {
    return JSON.parse(readFileSync(join(prefix, 'node_modules', NAME, 'package.json'), 'utf8')).version
  } catch {
    return null
  }
}

/** Starts PM2 anew with the module in it. @param {Record<string, string>} settings as `pm2 set pm2-logrotate:KEY` has them */
export async function startWithLogrotate(pm2, settings) {
  await pm2.stop()
  const home = pm2.env.PM2_HOME
  mkdirSync(join(home, 'modules'), { recursive: true })
  rmSync(join(home, 'modules', NAME), { force: true })
  symlinkSync(prefix, join(home, 'modules', NAME))
  const conf = { 'module-db-v2': { [NAME]: {} }, [NAME]: settings }
  writeFileSync(join(home, 'module_conf.json'), JSON.stringify(conf))
  await pm2.start()
  for (const deadline = performance.now() + 20_000; ; await pause(200)) {
    const module = (await pm2.list()).find(({ name }) => name === NAME)
    if (module?.pm2_env.status === 'online') return
    if (performance.now() > deadline) throw new Error(`${NAME} is not online: ${module?.pm2_env.status ?? 'missing'}`)
  }
}
