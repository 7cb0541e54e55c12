/**
 * The line by which eco knows a unit, script or plist as its own, and reads what it was written for. It is a comment in
 * all three, so that the file needs no parser of its own.
 */

/** What a service file was written for. */
export interface Written {
  /** The version of eco that wrote it. */
  readonly version: string
  /** Its ECO_HOME. */
  readonly home: string
  readonly node: string
  readonly daemon: string
  /** Lingering was off, and eco turned it on: `eco unstartup` turns it off again. */
  readonly ownsLinger: boolean
}

const WORD = 'eco-startup:'

export function writeMark({ version, home, node, daemon, ownsLinger }: Written): string {
  // A dash is escaped: two of them end an XML comment.
  return `${WORD} ${JSON.stringify({ version, home, node, daemon, ownsLinger }).replaceAll('-', '\\u002d')}`
}

/** @returns null: eco did not write this */
export function readMark(text: string): Written | null {
  const line = text.split('\n', 8).find((it) => it.includes(WORD))
  if (line === undefined) return null
  try {
    const json = line.slice(line.indexOf('{'), line.lastIndexOf('}') + 1)
    const { version, home, node, daemon, ownsLinger } = JSON.parse(json) as Partial<Written>
    if (![version, home, node, daemon].every((it) => typeof it === 'string')) return null
    return { version, home, node, daemon, ownsLinger: ownsLinger === true } as Written
  } catch {
    return null
  }
}
