import { isatty } from 'node:tty'
import { callOrStart } from '../daemon/ensure.ts'
import type { Selection, StreamEvent } from '../daemon/protocol.ts'
import { ecoHome } from '../state/paths.ts'
import { writeOut } from './write-out.ts'

/** `eco ls`: the hot path and the full program both end here. @returns whether everything is written */
export async function list(selection: Selection, json: boolean): Promise<boolean> {
  const view = { json, ...(isatty(1) ? await terminal() : { color: wantsColorAnyway(), width: null }) }
  const text = await callOrStart('lsText', { ...selection, ...view }, { home: ecoHome(), onEvent: tell })
  return writeOut(text)
}

/** What the list cannot show: scopes whose state is damaged. */
function tell(event: StreamEvent): void {
  if (event.type === 'scope') process.stderr.write(`${event.message}\n`)
}

/** process.stdout is made only where there is a terminal: it costs a millisecond, and a pipe has no width. */
async function terminal(): Promise<{ color: boolean; width: number | null }> {
  const { terminalWidth, wantsColor } = await import('./terminal.ts')
  return { color: wantsColor(process.stdout), width: terminalWidth(process.stdout) }
}

function wantsColorAnyway(): boolean {
  const force = process.env['FORCE_COLOR']
  return force !== undefined && force !== '' && force !== '0' && !process.env['NO_COLOR']
}
