import { spawn } from 'node:child_process'
import type { CommandOutcome } from './build-context.ts'
import { formatDuration } from './duration.ts'
import { neutralise } from './diagnostic.ts'

const DEADLINE_MS = 10_000
const MAX_BYTES = 1024 * 1024

/**
 * Runs the command of a `from_command`. What it prints on stdout is the secret, so no message ever holds it; of stderr
 * the last line says what went wrong.
 */
export function runSecretCommand(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommandOutcome> {
  const deadlineMs = Number(env['ECO_CONFIG_TIMEOUT_MS']) || DEADLINE_MS
  const [program = '', ...args] = command
  return new Promise((resolve) => {
    // A group of its own: `sh -c "sleep 60"` would otherwise leave the sleep behind, holding the pipe open.
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const output: Buffer[] = []
    let size = 0
    let complaint = ''
    const finish = (outcome: CommandOutcome): void => {
      clearTimeout(timer)
      if (child.pid !== undefined) killGroup(child.pid)
      child.stdout.destroy()
      child.stderr.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(() => {
      finish({ ok: false, reason: `did not finish within ${formatDuration(deadlineMs)}` })
    }, deadlineMs)
    child.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk)
      size += chunk.length
      if (size > MAX_BYTES) finish({ ok: false, reason: 'printed more than 1 MiB' })
    })
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-4096)
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      finish({ ok: false, reason: error.code === 'ENOENT' ? 'was not found' : `could not be started (${error.code})` })
    })
    child.on('close', (code, signal) => {
      if (code === 0) return finish({ ok: true, output: Buffer.concat(output).toString() })
      const ending = signal ? `was killed by ${signal}` : `exited with code ${code}`
      const last = neutralise(complaint.trim().split('\n').at(-1) ?? '').slice(0, 200)
      finish({ ok: false, reason: last ? `${ending}: ${last}` : ending })
    })
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: nothing of it is left.
  }
}
