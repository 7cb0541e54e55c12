/** Control characters become visible escapes; colours stay. */
export function neutraliseLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll('\t', '  ').replace(/\u001b\[[\d;]*m|[\p{Cc}\p{Zl}\p{Zp}]/gu, (found) => {
    if (found.length > 1) return found
    return `\\u${(found.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}
