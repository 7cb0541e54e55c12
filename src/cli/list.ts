import { callOrStart } from '../daemon/ensure.ts'
import type { Selection } from '../daemon/protocol.ts'
import { ecoHome } from '../state/paths.ts'
import { renderListing } from './ls-table.ts'
import { terminalWidth, wantsColor } from './terminal.ts'

/** `eco ls`: the hot path and the full program both end here. */
export async function list(selection: Selection, json: boolean): Promise<void> {
  const listing = await callOrStart('ls', selection, { home: ecoHome() })
  const { stdout } = process
  if (json) stdout.write(`${JSON.stringify(listing, null, stdout.isTTY ? 2 : 0)}\n`)
  else stdout.write(renderListing(listing, { color: wantsColor(stdout), width: terminalWidth(stdout), now: Date.now() }))
}
