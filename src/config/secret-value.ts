import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { BuildContext } from './build-context.ts'
import { errnoOf, reasonOf } from './read-source.ts'
import type { EnvValue } from './ecosystem.ts'
import { closest } from '../model/closest.ts'

type Reference = Extract<EnvValue, object>

/** A value before it is sealed. `secret` is where it came from, null for a plain one. */
export interface RawValue {
  readonly value: string
  readonly secret: string | null
}

/** What is wrong, and what to do about it. */
export type Complaint = (message: string, hint?: string | null) => null

/** Reads the long form of a variable: a reference, or a value marked as secret. */
export async function readReference(
  reference: Reference,
  context: BuildContext,
  missing: Complaint,
): Promise<RawValue | null> {
  if (typeof reference.from_env === 'string') return readVariable(reference.from_env, context, missing)
  if (typeof reference.from_file === 'string') return readSecretFile(reference.from_file, context, missing)
  if (reference.from_command) return readCommand(reference.from_command, context, missing)
  const value = String(reference.value)
  return { value, secret: reference.secret === true ? 'literal' : null }
}

function readVariable(name: string, context: BuildContext, missing: Complaint): RawValue | null {
  const value = context.lookup(name)
  if (value !== undefined) return { value, secret: `env:${name}` }
  const meant = closest(name, Object.keys(context.env))
  return missing(
    `the variable ${name} is not set`,
    meant === null ? `set ${name}, or put it into .env` : `is it ${meant}?`,
  )
}

function readSecretFile(name: string, context: BuildContext, missing: Complaint): RawValue | null {
  const file = path.resolve(context.folder, name)
  try {
    return { value: withoutNewline(readFileSync(file, 'utf8')), secret: `file:${name}` }
  } catch (error) {
    return missing(`cannot read ${file}: ${reasonOf(errnoOf(error))}`)
  }
}

async function readCommand(
  command: readonly string[],
  context: BuildContext,
  missing: Complaint,
): Promise<RawValue | null> {
  if (!context.runsCommands) return null
  const key = JSON.stringify(command)
  const known = context.commands.get(key)
  const running = known ?? runCommand(command, context)
  context.commands.set(key, running)
  const outcome = await running
  const name = command[0] ?? ''
  if (!outcome.ok) return missing(`the command ${JSON.stringify(name)} ${outcome.reason}`)
  return { value: withoutNewline(outcome.output), secret: `command:${path.basename(name)}` }
}

async function runCommand(command: readonly string[], context: BuildContext) {
  const { runSecretCommand } = await import('./run-secret-command.ts')
  return runSecretCommand(command, context.folder, context.env)
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}
