import { spawnSync } from 'node:child_process'

const TIMEOUT_MS = 120_000

export interface Ran {
  readonly code: number
  /** What it printed, stdout first. */
  readonly text: string
}

/** Runs a command of the init system to its end. Never through a shell, and never through sudo. */
export function runCommand(argv: readonly string[]): Ran {
  const [program = '', ...args] = argv
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: userManagerEnvironment(),
  })
  return { code: status ?? -1, text: [stdout, stderr, error?.message].filter(Boolean).join('').trim() }
}

/** Without a session of its own (su, cron) a process does not know where the user's systemd listens. */
function userManagerEnvironment(): NodeJS.ProcessEnv {
  if (process.platform !== 'linux' || process.env['XDG_RUNTIME_DIR']) return process.env
  return { ...process.env, XDG_RUNTIME_DIR: `/run/user/${process.getuid?.() ?? 0}` }
}
