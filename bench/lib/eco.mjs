/** eco as a contestant: the built binary with an ECO_HOME of its own. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from './command.mjs'

const binary = fileURLToPath(new URL('../../dist/eco.cjs', import.meta.url))
const manifest = fileURLToPath(new URL('../../package.json', import.meta.url))
const ENVIRONMENT = 'bench'

/** Why eco cannot take part, or null. */
export function ecoMissing() {
  return existsSync(binary) ? null : 'dist/eco.cjs is not there: run `npm run build`'
}

export function ecoVersion() {
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}

export function createEco(scratch) {
  const env = scratch.env({ ECO_HOME: scratch.makeFolder('eco') })
  let up = false
  const eco = {
    /** What starts `eco run` and the like, which do not end by themselves. */
    command: [process.execPath, binary],
    env,
    cli: (...args) => run([process.execPath, binary, ...args], { env, cwd: scratch.folder }),
    /** The same, for commands whose failure is the answer. */
    attempt: (...args) => run([process.execPath, binary, ...args], { env, cwd: scratch.folder, allowFailure: true }),
    async start() {
      await eco.cli('daemon', 'start')
      up = true
    },
    apply: (file) => eco.cli('apply', file, '--env', ENVIRONMENT, '--yes'),
    diff: (file) => eco.cli('diff', file, '--env', ENVIRONMENT),
    deleteAll: (project) => eco.cli('delete', 'all', '--env', ENVIRONMENT, '--project', project, '--yes'),
    async list() {
      return JSON.parse((await eco.cli('ls', '--json')).stdout)
    },
    daemonPid: async () => (await eco.list()).daemon.pid,
    /** Sorted, so that two calls can be compared. */
    async pids() {
      const { apps } = await eco.list()
      return apps.flatMap(({ instances }) => instances.map(({ pid }) => pid)).toSorted((a, b) => a - b)
    },
    async stop() {
      if (up) await eco.cli('daemon', 'stop')
    },
  }
  return eco
}

/**
 * An ecosystem file of `count` equal apps, as YAML.
 *
 * @param {{ command: string[], env?: Record<string, string> }} app
 */
export function ecosystemFile(project, count, { command, env = {} }) {
  const variables = Object.entries(env).map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`)
  const app = [`    command: ${JSON.stringify(command)}`, ...(variables.length ? ['    env:', ...variables] : [])]
  const apps = names(count).flatMap((name) => [`  ${name}:`, ...app])
  return [`project: ${project}`, 'apps:', ...apps, 'environments:', `  ${ENVIRONMENT}: {}`, ''].join('\n')
}

/** app000, app001 … */
export function names(count) {
  return Array.from({ length: count }, (_, index) => `app${String(index).padStart(3, '0')}`)
}
