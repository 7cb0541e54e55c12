/** What of a systemd unit tells whether it can start a daemon (systemd.syntax(7)). Pure. */

export interface UnitFile {
  /** Words of ExecStart. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly user: string | null
  readonly delegates: boolean
}

export function parseUnit(text: string): UnitFile {
  const settings = settingsOf(text)
  const last = (name: string): string => settings.findLast(([key]) => key === name)?.[1] ?? ''
  const variables = settings.filter(([key]) => key === 'Environment').flatMap(([, value]) => wordsOf(value))
  const [program = '', ...rest] = wordsOf(last('ExecStart'))
  return {
    // Before the path there may be signs with a meaning.
    command: program === '' ? [] : [program.replace(/^[-@:+!|]+/, ''), ...rest],
    environment: Object.fromEntries(
      variables.map((variable) => {
        const at = variable.indexOf('=')
        return [variable.slice(0, at), variable.slice(at + 1)]
      }),
    ),
    user: last('User') || null,
    delegates: !['', 'no', 'false', '0', 'off'].includes(last('Delegate').toLowerCase()),
  }
}

function settingsOf(text: string): [key: string, value: string][] {
  return text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line): [string, string][] => {
      const match = /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line)
      return match ? [[match[1] ?? '', match[2] ?? '']] : []
    })
}

/** Words as systemd splits them: quotes join, a backslash takes the next character, `%%` is a per cent sign. */
function wordsOf(text: string): string[] {
  const words: string[] = []
  let word: string | null = null
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ''
    if (char === '\\' && quote !== "'") {
      word = `${word ?? ''}${text[++at] ?? ''}`
    } else if (quote !== '') {
      if (char === quote) quote = ''
      else word = `${word ?? ''}${char}`
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else word = `${word ?? ''}${char}`
  }
  if (word !== null) words.push(word)
  return words.map((it) => it.replaceAll('%%', '%').replaceAll('$$', '$'))
}
