const COLORS = { red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const
export type Color = keyof typeof COLORS

/** How text is put on a terminal: with or without colour, in Unicode or plain ASCII. */
export interface Style {
  readonly ellipsis: string
  readonly dot: string
  readonly paint: (color: Color, text: string) => string
  /** Foreign text on one line: nothing in it moves the cursor, and in ASCII nothing is outside of it. */
  readonly clean: (text: string) => string
}

export function createStyle(options: { color: boolean; ascii: boolean }): Style {
  return {
    ellipsis: options.ascii ? '...' : '…',
    dot: options.ascii ? '-' : '·',
    paint: (color, text) => (options.color ? `\u001B[${COLORS[color]}m${text}\u001B[0m` : text),
    clean: (text) => escapeControls(text, options.ascii),
  }
}

/** Controls, and what turns the direction of a line or hides in it, as `\u001b`; well-known ones as `\n`. */
function escapeControls(text: string, ascii: boolean): string {
  const unsafe = ascii ? /[^\u0020-\u007E]/g : /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
  return text.replaceAll(unsafe, (found) => KNOWN[found] ?? [...units(found)].join(''))
}

const KNOWN: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function* units(text: string): Generator<string> {
  for (let index = 0; index < text.length; index++) {
    yield `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
}

/**
 * Shortens two values to the same width so that their difference stays in sight: from shortly before the first place
 * where they differ.
 */
export function shortenPair(
  before: string,
  after: string,
  width: number,
  ellipsis: string,
): readonly [before: string, after: string] {
  if (before.length <= width && after.length <= width) return [before, after]
  let common = 0
  while (common < before.length && before[common] === after[common]) common++
  const start = common < width / 2 ? 0 : common - Math.floor(width / 4)
  const cut = (text: string) => {
    const skipped = text.length > width ? Math.min(start, text.length - Math.floor(width / 2)) : 0
    const kept = `${skipped > 0 ? ellipsis : ''}${text.slice(skipped)}`
    return kept.length <= width ? kept : `${kept.slice(0, width - ellipsis.length)}${ellipsis}`
  }
  return [cut(before), cut(after)]
}
