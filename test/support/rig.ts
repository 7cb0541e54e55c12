/** A home of its own for one test: real binary, real daemon, real processes, and nothing left behind. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import { onTestFinished } from 'vitest'
import type { ListedApp, Listing } from '../../src/daemon/protocol.ts'
import { ECO, ROOT } from './binary.ts'
import { isRunning, kill, processesWith } from './processes.ts'

const COMMAND_TIMEOUT_MS = 25_000

export interface EcoResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** stdout, parsed. */
  json(): any
}

export interface EcoOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly input?: string
  /** Aborting it kills the command with SIGKILL, as a closed laptop would. */
  readonly signal?: AbortSignal
  readonly umask?: string
  /** default: 25 s */
  readonly timeoutMs?: number
  /** eco.cjs of another version */
  readonly bin?: string
}

export interface Rig extends AsyncDisposable {
  /** The folder of the project; `ecosystem.yaml` lies here. */
  readonly dir: string
  /** ECO_HOME. */
  readonly home: string
  /** The whole environment of its commands; a command started in another way needs it too, to be found at the end. */
  readonly env: Readonly<Record<string, string>>
  eco(args: readonly string[], options?: EcoOptions): Promise<EcoResult>
  /** Writes a file of the project (an object as JSON, which YAML reads too). @returns its absolute path */
  write(path: string, content: string | object): string
  /** Writes ecosystem.yaml and applies it with --yes, whatever comes of it. */
  apply(config: string | object, ...args: string[]): Promise<EcoResult>
  ls(...args: string[]): Promise<readonly ListedApp[]>
  app(name: string, ...args: string[]): Promise<ListedApp>
  /** The pids of an app's instances, by slot. */
  pids(app: string, ...args: string[]): Promise<number[]>
  daemonPid(): Promise<number>
  /** What an instance has written so far. */
  output(app: string, options?: { slot?: number; stream?: 'out' | 'err'; scope?: string }): string
}

/** The absolute path of a program in fixtures/processes. */
export function fixture(name: string): string {
  return join(ROOT, 'fixtures/processes', name)
}

export async function createRig(): Promise<Rig> {
  const root = mkdtempSync(join(tmpdir(), 'eco-')) // short: the path of a unix socket has 107 bytes
  const dir = join(root, 'demo')
  const home = join(root, 'h')
  mkdirSync(dir)
  const bare = { PATH: pathWithThisNode(), HOME: root, ECO_HOME: home }

  const eco = async (args: readonly string[], options: EcoOptions = {}): Promise<EcoResult> => {
    const command = [process.execPath, options.bin ?? ECO, ...args]
    const [file = '', ...rest] =
      options.umask === undefined ? command : ['sh', '-c', `umask ${options.umask}; exec "$@"`, 'sh', ...command]
    const result = await execa(file, rest, {
      cwd: options.cwd ?? dir,
      env: { ...bare, ...options.env },
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
      timeout: options.timeoutMs ?? COMMAND_TIMEOUT_MS,
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal, killSignal: 'SIGKILL' as const }),
    })
    const { stdout, stderr } = result
    if (result.timedOut) throw new Error(`eco ${args.join(' ')} did not end in time\n${stdout}\n${stderr}`)
    return {
      code: result.exitCode ?? -1,
      stdout,
      stderr,
      json: () => {
        try {
          return JSON.parse(stdout)
        } catch (cause) {
          throw new Error(`eco ${args.join(' ')} printed no JSON: ${stdout}\n${stderr}`, { cause })
        }
      },
    }
  }
  const write = (path: string, content: string | object): string => {
    const full = resolve(dir, path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
    return full
  }
  const ls = async (...args: string[]): Promise<readonly ListedApp[]> => {
    const result = await eco(['ls', '--json', ...args])
    if (result.code !== 0) throw new Error(`eco ls ${args.join(' ')} ended with ${result.code}: ${result.stderr}`)
    return (result.json() as Listing).apps
  }
  const app = async (name: string, ...args: string[]): Promise<ListedApp> => {
    const apps = await ls(name, ...args)
    if (apps.length !== 1 || !apps[0]) throw new Error(`eco ls ${name} knows ${apps.length} apps of this name`)
    return apps[0]
  }

  let ended = false
  const end = async (): Promise<void> => {
    if (ended) return
    ended = true
    await eco(['daemon', 'stop', '--apps']).catch(() => {}) // whatever is left is killed below
    for (let left = leftovers(root); left.length > 0; left = leftovers(root)) {
      for (const pid of left) kill(pid)
      await new Promise((done) => setTimeout(done, 10))
    }
  }
  onTestFinished(async ({ task }) => {
    await end()
    if (!existsSync(root)) return // the test has removed it, for all was well with this one
    if (task.result?.state !== 'fail') return rmSync(root, { recursive: true, force: true })
    process.stderr.write(`${task.name}: failed; its folder is kept: ${root}\n${logsOf(home)}`)
  }, COMMAND_TIMEOUT_MS)

  return {
    dir,
    home,
    env: bare,
    eco,
    write,
    apply: (config, ...args) => {
      write('ecosystem.yaml', config)
      return eco(['apply', '--yes', ...args])
    },
    ls,
    app,
    pids: async (name, ...args) =>
      (await app(name, ...args)).instances.flatMap(({ pid }) => (pid === null ? [] : [pid])),
    daemonPid: async () => (await eco(['daemon', 'status', '--json'])).json().pid as number,
    output: (name, { slot = 0, stream = 'out', scope = 'demo/default' } = {}) => {
      try {
        return readFileSync(join(home, 'scopes', scope, 'logs', `${name}-${slot}.${stream}.log`), 'utf8')
      } catch {
        return ''
      }
    },
    [Symbol.asyncDispose]: end,
  }
}

/** `node` in an ecosystem file must be the node that runs the tests. */
function pathWithThisNode(): string {
  return `${dirname(process.execPath)}:${process.env['PATH'] ?? '/usr/bin:/bin'}`
}

function leftovers(root: string): number[] {
  return processesWith(`HOME=${root}`).filter((pid) => pid !== process.pid && isRunning(pid))
}

function logsOf(home: string): string {
  let files: string[]
  try {
    files = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(log|ndjson)$/.test(name))
  } catch {
    return ''
  }
  return files.map((name) => `--- ${name}\n${readFileSync(join(home, name), 'utf8').slice(-4000)}\n`).join('')
}
