import { relative } from 'node:path'
import type { Plan } from '../model/plan.ts'
import { renderText } from '../planner/render-text.ts'
import { terminalWidth, wantsColor } from './terminal.ts'

/** A plan as people read it; paths are shown from where they stand. */
export function renderForTerminal(plan: Plan, apply: string | null, all = false): string {
  const shown = { ...plan, source: { ...plan.source, file: shortPath(plan.source.file) } }
  return renderText(shown, {
    ...terminalOptions(),
    all,
    apply: apply?.replace(plan.source.file, shortPath(plan.source.file)) ?? null,
  })
}

/** How text is laid out where stdout goes. */
export function terminalOptions(): { readonly color: boolean; readonly width: number; readonly ascii: boolean } {
  return {
    color: wantsColor(process.stdout),
    width: terminalWidth(process.stdout) ?? 120,
    ascii: !/utf-?8/i.test(process.env['LC_ALL'] ?? process.env['LC_CTYPE'] ?? process.env['LANG'] ?? 'utf8'),
  }
}

export function shortPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short === '' || short.startsWith('..') ? file : short
}
