/** What diff and apply ask the daemon, and the plan files that connect them. */

import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { ApplyIntent } from '../daemon/protocol.ts'
import { EcoError } from '../errors.ts'
import type { DesiredState } from '../model/spec.ts'

export interface PlanRequest {
  readonly desired: DesiredState
  readonly intent: ApplyIntent
}

export interface IntentOptions {
  readonly only?: string[]
  readonly allowEmpty?: boolean
  readonly takeOver?: boolean
}

export function intentOf(options: IntentOptions): ApplyIntent {
  return {
    only: options.only ?? null,
    allowEmpty: options.allowEmpty === true,
    takeOver: options.takeOver === true,
  }
}

/** A saved plan: what was shown, and all that is needed to apply exactly that. Secrets in it are sealed. */
interface PlanFile extends PlanRequest {
  readonly eco_plan_file: 1
  readonly plan_id: string
  readonly plan: object
}

export function savePlan(path: string, request: PlanRequest, planId: string, plan: object): void {
  const content: PlanFile = { eco_plan_file: 1, plan_id: planId, plan, ...request }
  try {
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  } catch (error) {
    throw new EcoError('USAGE', `Cannot write ${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** @throws EcoError USAGE when it is not a saved plan */
export function readPlan(path: string): { readonly request: PlanRequest; readonly planId: string } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new EcoError('USAGE', `Cannot read the plan ${path}: ${(error as Error).message}`, { cause: error })
  }
  let content: Partial<PlanFile>
  try {
    content = JSON.parse(text) as Partial<PlanFile>
  } catch {
    content = {}
  }
  const { desired, intent, plan_id: planId } = content
  if (content.eco_plan_file !== 1 || !desired?.scope || !desired.source || !desired.apps || !intent || !planId) {
    throw new EcoError('USAGE', `${path} is not a saved plan.`, { hint: `eco diff --out ${path}` })
  }
  return { request: { desired, intent }, planId }
}

/** Who applies: `deploy@web-1`-like, for the history, holds and locks. */
export function actor(env: NodeJS.ProcessEnv = process.env): string {
  const name = env['SUDO_USER'] ?? nameOfUser()
  return env['SSH_TTY'] ? `${name}@${env['SSH_TTY'].replace('/dev/', '')}` : name
}

function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
