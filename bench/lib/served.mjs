/**
 * One app that serves a port, under either contestant, behind the same few verbs. PM2 gets what its manual asks for: its
 * cluster mode for Node, `wait_ready` for an app that says so; for Python fork mode, where the app shares the port itself.
 */

import { untilListening, zeroApp } from './bare-server.mjs'
import { startLoad } from './load-control.mjs'
import { findPython } from './python.mjs'

const python = findPython()
const PROJECT = 'zero'
const SCOPE = ['--env', 'bench']

/**
 * The apps of the zero-downtime scenarios. `says` is for those that tell when they are ready.
 *
 * @type {Record<string, { label: string, file: string, says?: boolean, python?: boolean }>}
 */
export const ZERO_APPS = {
  plain: { label: 'no signal handler', file: 'plain.cjs' },
  closes: { label: 'closes', file: 'closes.cjs' },
  drains: { label: 'closes and drains', file: 'drains.cjs' },
  ready: { label: 'says ready', file: 'says-ready.cjs', says: true },
  slow: { label: 'starts in 300 ms', file: 'slow.cjs' },
  ...(python === null ? {} : { python: { label: 'Python', file: 'server.py', python: true } }),
}

/**
 * @param {object} eco
 * @param {{ app: object, port: number, instances: number, env?: object, fields?: object }} options `fields`: more keys of
 *   the ecosystem file
 */
export function servedByEco(eco, scratch, { app, port, instances, env = {}, fields = {} }) {
  const file = (change) => {
    const spec = {
      command: [app.python ? python : process.execPath, zeroApp(app.file)],
      instances,
      listen: `127.0.0.1:${port}`,
      ...(app.says ? { ready: 'signal' } : {}),
      ...fields,
      env: { ...env, ...change },
    }
    return scratch.write(
      'zero.json',
      JSON.stringify({ project: PROJECT, apps: { api: spec }, environments: { bench: {} } }),
    )
  }
  return {
    start: (change) => eco.cli('apply', file(change), ...SCOPE, '--yes'),
    reload: () => eco.attempt('reload', 'api', ...SCOPE, '--project', PROJECT),
    change: (change) => eco.attempt('apply', file(change), ...SCOPE, '--yes'),
    pids: () => eco.pids(),
    remove: () => eco.deleteAll(PROJECT),
  }
}

export function servedByPm2(pm2, scratch, { app, port, instances, env = {}, settings = {} }) {
  const file = (change) => {
    const cluster = app.python ? { interpreter: python } : { exec_mode: 'cluster' }
    const spec = {
      name: 'api',
      script: zeroApp(app.file),
      instances,
      ...cluster,
      ...(app.says ? { wait_ready: true } : {}),
    }
    const apps = [{ ...spec, ...settings, env: { PORT: String(port), ...env, ...change } }]
    return scratch.write('zero.config.json', JSON.stringify({ apps }))
  }
  return {
    start: (change) => pm2.cli('start', file(change)),
    reload: () => pm2.attempt('reload', 'api'),
    change: (change) => pm2.attempt('reload', file(change), '--update-env'),
    pids: () => pm2.pids(),
    remove: () => pm2.deleteAll(),
  }
}

/** Starts the app in version 1, puts it under load, and leaves nothing of either, however `work` ends. */
export async function underLoad(served, scratch, clients, work) {
  let load = null
  try {
    await served.start({ VERSION: '1' })
    await untilListening(clients.port)
    load = await startLoad(scratch, clients)
    return await work(load)
  } finally {
    load?.abort()
    await served.remove()
  }
}
