/** How bad a line is, in one scale for all loggers. */

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

export function atLeast(level: Level, min: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(min)
}

/** Words that mean a level wherever a logger has written a level. */
const WORDS: Readonly<Record<Level, string>> = {
  trace: 'trace trc silly finest finer',
  debug: 'debug dbg dbug verbose http fine config prompt input debug1 debug2 debug3 debug4 debug5',
  info: 'info information inf notice log success help data statement default',
  warn: 'warn warning wrn',
  error: 'error err eror fail severe failure',
  fatal: 'fatal critical crit ftl alert emerg emergency panic dpanic',
}

const BY_WORD: ReadonlyMap<string, Level> = new Map(
  LEVELS.flatMap((level) => WORDS[level].split(' ').map((word): [string, Level] => [word, level])),
)

/** As long as the longest word with its offset (slog: `DEBUG-4`). */
const MAX_WORD = 16

/** The level that a word of a logger's own stands for, in any case. */
export function levelOfWord(word: string): Level | null {
  if (word.length > MAX_WORD) return null
  const lower = word.trim().toLowerCase()
  const known = BY_WORD.get(lower)
  if (known !== undefined) return known
  const offset = /^(debug|info|warn|error)([+-]\d{1,3})$/.exec(lower)
  if (offset === null) return null
  return lower.startsWith('debug-') ? 'trace' : (BY_WORD.get(offset[1] ?? '') ?? null)
}

const SYSLOG: readonly Level[] = ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug']

/** @param number of syslog (0 to 7, 0 the worst) or of pino and bunyan (10 to 60, and those between) */
export function levelOfNumber(number: number): Level | null {
  if (Number.isInteger(number) && number >= 0 && number < SYSLOG.length) return SYSLOG[number] ?? null
  if (number < 10 || number >= 100) return null
  return LEVELS[Math.min(Math.floor(number / 10) - 1, LEVELS.length - 1)] ?? null
}
