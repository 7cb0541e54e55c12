import { resolve } from 'node:path'
import { callOrStart } from '../../daemon/ensure.ts'
import { EXIT } from '../../errors.ts'
import type { Plan } from '../../model/plan.ts'
import { diffExitCode } from '../../planner/exit-code.ts'
import { ecoHome } from '../../state/paths.ts'
import { VERSION } from '../../version.ts'
import { loadFile } from '../load-file.ts'
import { intentOf, type PlanRequest, savePlan } from '../plan-request.ts'
import type { DiffOptions } from '../program.ts'
import { renderForTerminal } from '../render-plan.ts'

/** `eco diff`: prints what an apply would do. @returns the exit code */
export async function diff(file: string | null, options: DiffOptions): Promise<number> {
  const desired = await loadFile(file, options.env ?? null)
  const request: PlanRequest = { desired, intent: intentOf(options) }
  const plan = await callOrStart('plan', request, { home: ecoHome() })
  const pending = diffExitCode(plan)
  const exitCode = options.exitCode === true ? pending : EXIT.ok
  if (options.out !== undefined) await save(options.out, request, plan, exitCode)
  const format = options.json === true ? 'json' : (options.format ?? 'text')
  process.stdout.write(await render(plan, format, options, exitCode))
  return exitCode
}

async function render(
  plan: Plan,
  format: 'text' | 'json' | 'markdown',
  options: DiffOptions,
  exitCode: number,
): Promise<string> {
  const apply = options.out === undefined ? applyCommand(plan, options) : `eco apply --plan ${options.out}`
  switch (format) {
    case 'json': {
      const { renderJson } = await import('../../planner/render-json.ts')
      return `${JSON.stringify(renderJson(plan, { ecoVersion: VERSION, exitCode }), null, 2)}\n`
    }
    case 'markdown': {
      const { renderMarkdown } = await import('../../planner/render-markdown.ts')
      return renderMarkdown(plan, { apply })
    }
    case 'text':
      return renderForTerminal(plan, apply, options.all === true)
  }
}

async function save(path: string, request: PlanRequest, plan: Plan, exitCode: number): Promise<void> {
  const { renderJson } = await import('../../planner/render-json.ts')
  savePlan(resolve(path), request, plan.id, renderJson(plan, { ecoVersion: VERSION, exitCode }))
}

function applyCommand(plan: Plan, options: DiffOptions): string {
  const parts = ['eco apply', plan.source.file]
  if (options.env !== undefined) parts.push('--env', options.env)
  for (const selector of options.only ?? []) parts.push('--only', selector)
  return parts.join(' ')
}
