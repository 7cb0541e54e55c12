/**
 * A machine with a real systemd as its PID 1, in a container. Its disk lives on across reboots and power cuts; this
 * file is the hardware.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { inject, onTestFinished } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import { cgroupTrees } from './prerequisites.ts'

/** nspawn's exit code when the guest asks for a reboot. */
const REBOOT = 133
const BOOT_MS = 60_000
const COMMAND_MS = 60_000
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** default: root */
  readonly user?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Why no machine can be had; null: `boot()` works. */
export function noMachine(): string | null {
  const image = inject('image')
  return 'missing' in image ? image.missing : null
}

/** A new machine from the image of the run, up and without a failed unit. It ends with the test. */
export async function boot(): Promise<Machine> {
  const image = inject('image')
  if ('missing' in image) throw new Error(image.missing)
  const machine = new Machine(image.dir)
  onTestFinished(({ task }) => machine.end(task.result?.state === 'fail'), COMMAND_MS)
  await machine.start()
  return machine
}

export class Machine {
  readonly #dir: string
  readonly #name: string
  #nspawn: ChildProcess | null = null
  #ended: Promise<number | null> = Promise.resolve(null)
  #init = 0

  constructor(image: string) {
    this.#dir = mkdtempSync(join(tmpdir(), 'eco-machine-'))
    this.#name = this.#dir.split('-').at(-1)?.toLowerCase() ?? ''
    for (const folder of ['up', 'work', 'root']) mkdirSync(join(this.#dir, folder))
    const options = `lowerdir=${image},upperdir=${this.#dir}/up,workdir=${this.#dir}/work`
    const { status, stderr } = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, join(this.#dir, 'root')])
    if (status !== 0) throw new Error(`no overlay: ${String(stderr)}`)
  }

  /** Switches it on, and waits until systemd has started everything. */
  async start(): Promise<void> {
    this.#powerOn()
    await this.#up()
  }

  /** `systemctl reboot`, and up again. */
  async reboot(): Promise<void> {
    await this.run('systemctl', ['--no-block', 'reboot'])
    const code = await this.#ended
    if (code !== REBOOT) throw new Error(`the machine ended with ${code} instead of a reboot`)
    await this.start()
  }

  /** `systemctl poweroff`. It stays off. */
  async powerOff(): Promise<void> {
    await this.run('systemctl', ['--no-block', 'poweroff'])
    await this.#ended
  }

  /** Off from one moment to the next: nothing is told, nothing is written. */
  async cutPower(): Promise<void> {
    process.kill(this.#init, 'SIGKILL')
    await this.#ended
  }

  /** Runs a program on it, to its end. */
  async run(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Ran> {
    const { user = 'root', env = {}, cwd = '/' } = options
    const home = user === 'root' ? '/root' : `/home/${user}`
    const variables = Object.entries({ PATH, HOME: home, USER: user, LANG: 'C.UTF-8', ...env }).map(
      ([k, v]) => `${k}=${v}`,
    )
    const asUser = user === 'root' ? [] : ['runuser', '-u', user, '--']
    const command = ['env', '-i', '-C', cwd, ...variables, program, ...args]
    const { exitCode, stdout, stderr } = await execa(
      'nsenter',
      ['-t', String(this.#init), '-a', '--', ...asUser, ...command],
      {
        reject: false,
        stdin: 'ignore',
        timeout: COMMAND_MS,
      },
    )
    return { code: exitCode ?? -1, stdout, stderr }
  }

  /** The same, which must succeed. @returns stdout */
  async must(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(program, args, options)
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
    return stdout
  }

  write(path: string, content: string | object): void {
    const full = this.onDisk(path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content))
  }

  read(path: string): string {
    return readFileSync(this.onDisk(path), 'utf8')
  }

  /** Where a file of it lies on this machine, also while it is off. */
  onDisk(path: string): string {
    return join(this.#dir, 'root', path)
  }

  /** The pid, seen from here, of a process on it. */
  get init(): number {
    return this.#init
  }

  async end(hasFailed: boolean): Promise<void> {
    if (hasFailed) process.stderr.write(`${this.#story()}\n`)
    if (this.#nspawn?.exitCode === null) {
      if (this.#init > 0) kill(this.#init)
      kill(this.#nspawn.pid ?? 0) // with it goes whatever it has started
      await this.#ended
    }
    spawnSync('umount', ['-l', join(this.#dir, 'root')])
    for (const tree of cgroupTrees()) await removeCgroups(join(tree, `eco-${this.#name}`))
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #powerOn(): void {
    const log = openSync(join(this.#dir, 'console.log'), 'a')
    // A cgroup of its own, or it takes ours for the root of all.
    const enter = 'for tree; do mkdir -p "$tree" && echo $$ >"$tree/cgroup.procs"; done'
    const nspawn = [
      'systemd-nspawn --boot --quiet --register=no --keep-unit --console=pipe',
      '-D "$DISK" --machine="$NAME" --bind-ro="$NODE":/usr/bin/node --bind-ro="$ECO":/opt/eco </dev/null',
    ].join(' ')
    const trees = cgroupTrees().map((tree) => join(tree, `eco-${this.#name}`))
    const env = {
      PATH,
      DISK: join(this.#dir, 'root'),
      NAME: `eco-${this.#name}`,
      NODE: process.execPath,
      ECO: ROOT,
    }
    const child = spawn('bash', ['-c', `${enter}; exec ${nspawn}`, 'machine', ...trees], {
      env,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#nspawn = child
    this.#init = 0
    this.#ended = new Promise((resolve) => child.once('exit', resolve))
  }

  async #up(): Promise<void> {
    await eventually(async () => {
      if (this.#nspawn?.exitCode !== null) throw new Error('systemd-nspawn has ended')
      // Looked up each time: the first child of nspawn is not the one that stays.
      const { stdout: children } = spawnSync('pgrep', ['-P', String(this.#nspawn?.pid)], { encoding: 'utf8' })
      this.#init = Number(children.trim().split('\n')[0])
      const { stdout, stderr } = await this.run('systemctl', ['is-system-running'])
      if (stdout !== 'running') throw new Error(`the machine is ${stdout || stderr}`)
    }, BOOT_MS)
  }

  /** The console, the journal and the daemon's log, from the disk: the machine may be off. */
  #story(): string {
    const journal = ['-D', this.onDisk('/var/log/journal'), '-n', '150', '--no-pager', '-o', 'short-monotonic']
    const logs = ['/root', '/home/alice'].flatMap((home) => {
      const file = this.onDisk(`${home}/.eco/daemon.log`)
      return existsSync(file) ? [readFileSync(file, 'utf8').slice(-3000)] : []
    })
    const console = readFileSync(join(this.#dir, 'console.log'), 'utf8').slice(-1500)
    return [console, spawnSync('journalctl', journal, { encoding: 'utf8' }).stdout, ...logs].join('\n---\n')
  }
}

/** What was killed with the machine may take a moment to be gone. */
async function removeCgroups(path: string): Promise<void> {
  await eventually(() => {
    if (existsSync(path)) spawnSync('find', [path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    return !existsSync(path)
  })
}
