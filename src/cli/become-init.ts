/**
 * Process 1 of a container inherits every orphan and must reap it; Node reaps only its own children. So `eco run` as
 * process 1 turns into a shell that does, and forwards the signals, and starts eco again as its child (docs/adr/0022).
 */

import { accessSync, constants } from 'node:fs'

const SHELL = '/bin/sh'
const VARIABLE = 'ECO_RUN_INIT'
const SIGNALS = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2']

// One that comes before the child is there is passed on once it is.
const traps = SIGNALS.map((signal) => `trap 'S=${signal}; kill -${signal} "$P" 2>/dev/null' ${signal}`).join('\n')
const SCRIPT = `S= P=
${traps}
"$@" <&0 &
P=$!
[ -z "$S" ] || kill -"$S" "$P"
while :; do wait "$P"; R=$?; kill -0 "$P" 2>/dev/null || exit $R; done`

/** Whether this is all there is in its container, or was started by what is. */
export function isInit(): boolean {
  return process.pid === 1 || process.env[VARIABLE] === '1'
}

/** Does not return where the process can be replaced. @returns why it cannot */
export function becomeInit(): string {
  const exec = (process as { execve?: (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never }).execve
  if (exec === undefined) return `Node ${process.version} cannot hand its place over (22.15 and newer can)`
  try {
    accessSync(SHELL, constants.X_OK)
  } catch {
    return `there is no ${SHELL}`
  }
  const [, entry = '', ...args] = process.argv
  const command = [process.execPath, ...process.execArgv, entry, ...args]
  return exec.call(process, SHELL, ['sh', '-c', SCRIPT, 'sh', ...command], { ...process.env, [VARIABLE]: '1' })
}
