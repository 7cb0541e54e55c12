export type Paint = (code: number, text: string) => string

export function painter(color: boolean): Paint {
  return (code, text) => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
}

/** As in logfmt: bare where that is clear, otherwise JSON. */
export function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"'=\\{}[\]\p{Cc}]+$/u.test(value)) return value
  return JSON.stringify(value) ?? String(value)
}
