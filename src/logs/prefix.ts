/** Whose line it is, in front of the line: the same in `eco logs` and `eco run`. Pure. */

/** Not red, which is for what went wrong; not black or white, which may be the background. */
const COLORS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** `api#0  | `, the app in a colour of its own. @param mark what divides it from the line */
export function prefixOf(name: string, width: number, color: number | null, mark = '|'): Buffer {
  const text = `${name.padEnd(width)} ${mark}`
  return Buffer.from(color === null ? `${text} ` : `\u001b[${color}m${text}\u001b[0m `)
}

/** The same for an app whenever it runs among the same others. */
export function colorOf(app: string, apps: readonly string[]): number {
  const index = Math.max(0, apps.indexOf(app))
  return COLORS[index % COLORS.length] ?? 36
}
