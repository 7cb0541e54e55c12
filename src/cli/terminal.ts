/** What the output is connected to. */

/** NO_COLOR and FORCE_COLOR as everywhere (no-color.org). */
export function wantsColor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}

/** Columns of the terminal; null when it is none. */
export function terminalWidth(stream: NodeJS.WriteStream): number | null {
  return stream.isTTY ? stream.columns || 80 : null
}
