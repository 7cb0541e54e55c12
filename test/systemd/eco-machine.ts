/** eco on a machine: what its operator types, and what he looks at. */

import type { ListedApp, Listing } from '../../src/daemon/protocol.ts'
import { boot, type Machine, type Ran } from './machine.ts'

export const ECO = '/opt/eco/dist/eco.cjs'
const PROJECT = '/srv/shop'

export interface EcoMachine {
  readonly machine: Machine
  /** Who operates eco. */
  readonly user: string
  readonly eco: (...args: string[]) => Promise<Ran>
  /** The same, which must end with 0. @returns stdout */
  readonly ok: (...args: string[]) => Promise<string>
  readonly ls: () => Promise<readonly ListedApp[]>
  /** The pids of all instances, by `app#slot`. */
  readonly pids: () => Promise<Readonly<Record<string, number>>>
  /** Writes the ecosystem file of the project and applies it, by a command before that of eco where one is given. */
  readonly apply: (config: object, before?: readonly string[]) => Promise<void>
  readonly systemctl: (...args: string[]) => Promise<Ran>
  /** A property of the unit, such as MainPID. */
  readonly show: (property: string) => Promise<string>
  /** What the apps wrote into $STORY since this was last asked. */
  readonly story: () => string[]
  /** Sends a signal to a process of the machine. */
  readonly kill: (pid: number | string, signal: string) => Promise<void>
}

export const STORY = `${PROJECT}/story`
export const SCRIPT = '/opt/eco/fixtures/processes/tells-story.mjs'

/**
 * @param user operates eco
 * @param isOfSystem whether its unit is one of the system; default: for root
 */
export async function ecoMachine(options: { user?: string; isOfSystem?: boolean } = {}): Promise<EcoMachine> {
  const { user = 'root' } = options
  const { isOfSystem = user === 'root' } = options
  const unit = isOfSystem && user !== 'root' ? `eco-${user}.service` : 'eco.service'
  const machine = await boot()
  if (user !== 'root') await machine.must('useradd', ['--create-home', '--shell', '/bin/sh', user])
  machine.write(STORY, '')
  await machine.must('chown', ['-R', user, PROJECT])
  const uid = (await machine.must('id', ['-u', user])).trim()
  const home = user === 'root' ? '/root' : `/home/${user}`
  const env = user === 'root' ? {} : { XDG_RUNTIME_DIR: `/run/user/${uid}` }
  const as = { user, env, cwd: PROJECT }
  const eco = (...args: string[]): Promise<Ran> => machine.run('node', [ECO, ...args], as)
  const ok = (...args: string[]): Promise<string> => machine.must('node', [ECO, ...args], as)
  const ls = async (): Promise<readonly ListedApp[]> => (JSON.parse(await ok('ls', '--json')) as Listing).apps
  const manager = isOfSystem ? [] : ['--user']
  const systemctl = (...args: string[]): Promise<Ran> => machine.run('systemctl', [...manager, ...args], as)
  let told = 0
  return {
    machine,
    user,
    eco,
    ok,
    ls,
    pids: async () => {
      const instances = (await ls()).flatMap((app) => app.instances)
      return Object.fromEntries(instances.flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid]])))
    },
    apply: async (config, before = []) => {
      machine.write(`${PROJECT}/ecosystem.yaml`, config)
      const [program, ...args] = [...before, 'node', ECO, 'apply', '--yes']
      // Whoever may become the user does it himself.
      await machine.must(program, args, before.length > 0 ? { env: { HOME: home }, cwd: PROJECT } : as)
    },
    systemctl,
    show: async (property) => (await systemctl('show', '--value', '-p', property, unit)).stdout.trim(),
    story: () => {
      const lines = machine.read(STORY).trim().split('\n')
      const news = lines.slice(told)
      told = lines.length
      return news.filter(Boolean)
    },
    kill: async (pid, signal) => {
      await machine.must('kill', [`-${signal}`, String(pid)])
    },
  }
}

/** An app of the project that writes into the story. */
export function storyApp(env: object = {}, more: object = {}): object {
  return { script: SCRIPT, env: { STORY, ...env }, ready: { log: 'up' }, ...more }
}

/** What runs a command in a session, as a shell does. */
export function inSession({ user }: EcoMachine): readonly string[] {
  return ['systemd-run', '--quiet', '--scope', '--unit=session-9', `--uid=${user}`]
}

/** Of every instance. */
export async function cgroups({ machine, pids }: EcoMachine): Promise<readonly string[]> {
  const all: string[] = []
  for (const pid of Object.values(await pids())) {
    const lines = (await machine.must('cat', [`/proc/${pid}/cgroup`])).split('\n')
    all.push(lines.find((line) => line.startsWith('0::')) ?? '')
  }
  return all
}
