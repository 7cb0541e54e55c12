/**
 * For a terminal, of text that others may have chosen: tabs become spaces; other control characters, and those that
 * reorder text, become visible escapes.
 */
export function neutralise(text: string): string {
  return text
    .replaceAll('\t', '  ')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
      return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
    })
}

/** The same of each line. */
export function neutraliseLines(text: string): string {
  return text.split('\n').map(neutralise).join('\n')
}
