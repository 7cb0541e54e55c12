/**
 * A line of an app for a terminal: it may colour what it says, and nothing else. What an app writes may come from
 * strangers (a header, a user name), and a terminal obeys: titles, the clipboard, text that hides other text.
 */

const ESC = '\u001b'
const RESET = `${ESC}[0m`

/** Everything that is not left as it is: control characters but the tab, line separators and what reorders text. */
const SUSPECT = /[^\P{Cc}\t]|[\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
/** Colours; moves and erasures, which mean nothing in a log; and single characters. */
const PARTS = new RegExp(`${ESC}\\[([\\d;:]{0,64})m|${ESC}\\[[\\d;?]{0,64}[A-HJKSTfhlsu]|${SUSPECT.source}`, 'gu')

/**
 * @returns colours, bold and the like as they were, ended at the end of the line; blinking and hidden text shown
 *   plainly; cursor moves removed; every other control character as a visible escape, `\u0007`
 */
export function neutraliseLine(text: string): string {
  if (!SUSPECT.test(text)) return text
  let last = ''
  let end = text.length
  while (text.charCodeAt(end - 1) === 13) end--
  const output = text.slice(0, end).replace(PARTS, (part: string, colour: string | undefined) => {
    if (colour !== undefined) {
      const kept = harmless(colour)
      if (kept !== '') last = kept
      return kept
    }
    return part.length > 1 ? '' : `\\u${part.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return last === '' || last === RESET || last === `${ESC}[m` ? output : output + RESET
}

/** Of the parameters of SGR those that neither hide nor blink; nothing when they are malformed. */
function harmless(parameters: string): string {
  const all = parameters.split(';')
  const kept: string[] = []
  for (let at = 0; at < all.length; at++) {
    const one = all[at] ?? ''
    const number = Number(one)
    if (number === 38 || number === 48 || number === 58) {
      const length = Number(all[at + 1]) === 5 ? 3 : Number(all[at + 1]) === 2 ? 5 : 0
      const colour = all.slice(at, at + length)
      if (length === 0 || colour.length < length || colour.includes('')) return ''
      // A terminal that knows no colours of underlines takes 58;5;8 for blinking and hidden.
      if (number !== 58) kept.push(...colour)
      at += length - 1
      continue
    }
    const first = Number(one.split(':', 1)[0])
    if (first !== 5 && first !== 6 && first !== 8 && first !== 58) kept.push(one)
  }
  return kept.length === 0 ? '' : `${ESC}[${kept.join(';')}m`
}
