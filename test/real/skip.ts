import { spawnSync } from 'node:child_process'

/** Says loudly what is missing. @returns whether something is */
export function skip(what: string, ...reasons: readonly (string | false)[]): boolean {
  const reason = reasons.find((it) => it !== false)
  if (reason !== undefined) process.stderr.write(`SKIPPED ${what}: ${reason}\n`)
  return reason !== undefined
}

export function isOnPath(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}
