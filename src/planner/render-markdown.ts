import { scopeName } from '../model/ids.ts'
import type { Plan } from '../model/plan.ts'
import { renderText } from './render-text.ts'

/** Columns of a code block in a comment, as wide as they come without a scroll bar. */
const WIDTH = 110

/** A plan as a comment on a pull request. Fingerprints are left out: comments are public more often than terminals. */
export function renderMarkdown(plan: Plan, options: { apply: string | null }): string {
  const text = renderText(plan, { color: false, width: WIDTH, fingerprints: false, apply: options.apply })
  const fence = fenceFor(text)
  return [
    `### eco plan for \`${scopeName(plan.scope)}\`: ${verdict(plan)}`,
    '',
    `${fence}diff`,
    text.trimEnd(),
    fence,
    '',
  ].join('\n')
}

function verdict(plan: Plan): string {
  if (plan.guards.length > 0) return 'refused'
  if (plan.changes.length > 0) return `${plan.changes.length} ${plan.changes.length === 1 ? 'change' : 'changes'}`
  if (plan.drift.length > 0) return 'drift only'
  return plan.steps.length > 0 ? `${plan.steps.length} steps` : 'no changes'
}

/** Longer than any run of backticks inside, so that no value can end the block. */
function fenceFor(text: string): string {
  const longest = (text.match(/`+/g) ?? []).reduce((length, run) => Math.max(length, run.length), 2)
  return '`'.repeat(longest + 1)
}
