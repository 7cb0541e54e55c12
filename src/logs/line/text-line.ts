/**
 * Time and level of a line of text: read from its beginning for as long as that consists of time stamps, levels and
 * labels. With the first word of a message it ends, so that an "error" in a sentence is none.
 */

import type { EpochMs } from '../../model/ids.ts'
import { levelOfNumber, levelOfWord, type Level } from './level.ts'
import { stampAt, type Stamp } from './stamp.ts'

interface Facts {
  at: EpochMs | null
  level: Level | null
}

/** In UTF-16 units. */
const HEAD = 512
const MAX_LABELS = 10

const ESC = '\u001b'
const SGR = new RegExp(`${ESC}\\[[\\d;:]*m`, 'g')
const PRIORITY = /^<(\d{1,3})>(?:1 )?/
/** klog and glog: `E0131 18:04:05.123456   1234 file.go:12] message`. */
const KLOG = /^([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{1,9})/
/** Redis: `1234:M 31 Jan 2026 18:04:05.123 * Ready`. */
const REDIS = /^\d{1,9}:[A-Z] (?=\d\d )/
/** Ruby: `W, [2026-01-31T18:04:05.123456 #1234]  WARN -- prog: message`. */
const RUBY = /^[A-Z], (?=\[)/
const PHP = /PHP (?:Fatal|Parse|Core|Compile|Recoverable fatal) error:/y
const ACCESS = /\[(?=\d\d\/[A-Z][a-z]{2}\/\d{4}:)/
/** With the symbols that some loggers put before a level. */
const SEPARATORS = /[\s|,:;\u2013\u2014\u2139\u2190-\u27bf-]*/y
const BRACKETED = /\[([^\][]{0,80})\]|\(([^()]{0,80})\)/y
const NUMBER = /#?\d{1,12}(?:#\d+)?(?=[\s:\]-]|$)/y
const WORD = /[A-Za-z_@][\w.@/$+-]*!?(?:\[\d+\])?/y
const PAIR = /[\w.@-]{1,40}=/y
const PAIRS = /([\w.@-]{1,40})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/g

const KLOG_LEVELS: Readonly<Record<string, Level>> = { I: 'info', W: 'warn', E: 'error', F: 'fatal' }
const REDIS_LEVELS: Readonly<Record<string, Level>> = { '.': 'debug', '-': 'debug', '*': 'info', '#': 'warn' }

/** The first line of what a runtime says about an error that nobody caught. */
const UNCAUGHT =
  /^(?:(?:Uncaught |Unhandled )?(?:[A-Za-z_$][\w.$]{0,80})?(?:Error|Exception)(?: \[[A-Z_\d]{1,60}\])?(?::|$)|Traceback \(most recent call last\)|Exception in thread |Uncaught |thread '[^']{0,80}' (?:\(\d+\) )?panicked at |(?:npm|yarn) (?:ERR!|error ))/
const WARNING = /^\(node:\d+\) (?:\[[A-Z_\d]{1,40}\] )?\w{0,40}Warning: /

/** Words that are a level in capitals even without a colon behind them. */
const SURE =
  /^(?:TRC|DBG|INF|WRN|FTL|TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRIT|CRITICAL|SEVERE|ALERT|EMERG|PANIC)$/
/** Levels of somebody, but words of sentences and labels as well. */
const UNSURE = /^(?:http|help|data|input|prompt|config|fine|all|statement|default|success|log)$/i

export function factsOfText(text: string, now: EpochMs): Facts {
  const facts: Facts = { at: null, level: null }
  // The next line of a stack trace, or of a value.
  if (text === '' || text.startsWith('\t') || text.startsWith('    ')) return facts
  let head = text.slice(0, HEAD)
  if (head.includes(ESC)) head = head.replace(SGR, '')
  let from = 0
  const priority = head.charCodeAt(0) === 0x3c ? PRIORITY.exec(head) : null
  if (priority !== null) {
    facts.level = levelOfNumber(Number(priority[1]) % 8)
    from = priority[0].length
  }
  if (RUBY.test(head)) from = 3
  if (special(head, from, facts, now)) return facts
  labels(head, from, facts, now)
  return facts
}

/** Lines that do not begin with labels. */
function special(head: string, from: number, facts: Facts, now: EpochMs): boolean {
  const klog = KLOG.exec(head)
  if (klog !== null) {
    const [, letter = '', month = '', day = '', time = ''] = klog
    const year = new Date(now).getFullYear()
    const at = (of: number): EpochMs | null => stampAt(`${of}-${month}-${day} ${time}`, 0, now)?.at ?? null
    facts.at = at(year) ?? at(year - 1)
    facts.level = KLOG_LEVELS[letter] ?? null
    return true
  }
  const redis = REDIS.exec(head)
  const stamp = redis === null ? null : stampAt(head, redis[0].length, now)
  if (stamp !== null) {
    facts.at = stamp.at
    facts.level = REDIS_LEVELS[head.charAt(stamp.end + 1)] ?? null
    return true
  }
  if (UNCAUGHT.test(head)) {
    facts.level ??= 'error'
    return true
  }
  if (WARNING.test(head)) {
    facts.level ??= 'warn'
    return true
  }
  const access = from === 0 ? ACCESS.exec(head.slice(0, 200)) : null
  if (access === null || access.index === 0) return false
  facts.at = stampAt(head, access.index + 1, now)?.at ?? null
  return true
}

function labels(head: string, start: number, facts: Facts, now: EpochMs): void {
  let from = start
  let stamped = false
  let hostFollows = false
  for (let count = 0; count < MAX_LABELS && (facts.level === null || !stamped); count++) {
    const before = from
    from += lengthAt(SEPARATORS, head, from)
    if (from >= head.length) return
    if (lengthAt(PAIR, head, from) > 0) return pairs(head.slice(from), facts, now)
    const stamp = stamped ? null : stampAt(head, from, now)
    if (stamp !== null) {
      stamped = true
      facts.at = stamp.at
      hostFollows = stamp.syslog
      from = stamp.end
      continue
    }
    const bracketed = execAt(BRACKETED, head, from)
    if (bracketed !== null) {
      from += bracketed[0].length
      const inner = (bracketed[1] ?? bracketed[2] ?? '').trim()
      const inside: Stamp | null = stamped ? null : stampAt(inner, 0, now)
      if (inside !== null) {
        stamped = true
        facts.at = inside.at
        // Rust's env_logger: [2026-01-31T18:04:05Z WARN  app].
        const word = execAt(WORD, inner, inside.end + 1)?.[0] ?? ''
        if (SURE.test(word)) facts.level ??= levelOfWord(word)
      }
      // Apache: [core:error].
      else facts.level ??= levelOfWord(inner.slice(inner.lastIndexOf(':') + 1))
      continue
    }
    const number = lengthAt(NUMBER, head, from)
    if (number > 0 && (stamped || count > 0)) {
      from += number
      continue
    }
    const word = execAt(WORD, head, from)?.[0]
    if (word === undefined) return
    const next = head.slice(from + word.length, from + word.length + 24)
    if (word === 'PHP' && lengthAt(PHP, head, from) > 0) facts.level ??= 'error'
    const level = facts.level === null ? levelOfLabel(word, next, stamped) : null
    from += word.length
    if (level !== null) {
      facts.level = level
      // A time may follow, but only right behind.
      if (stamped) return
      continue
    }
    // A sentence begins; but `app.db:`, `web |` and the host of syslog are labels.
    if (!hostFollows && !isLabel(word, next, before > start)) return
    hostFollows = false
  }
}

function levelOfLabel(word: string, next: string, stamped: boolean): Level | null {
  // Monolog: app.ERROR:
  const name = word.replace(/\[\d+\]$|^[\w-]+\.(?=[A-Z]+$)/, '')
  const level = levelOfWord(name)
  if (level === null) return null
  const ends = next === '' || /^(?:[:\s|\],]|-)/.test(next)
  if (!ends) return null
  if (SURE.test(name) || (stamped && /^(?:LOG|VERBOSE|SUCCESS)$/.test(name))) return level
  if (next.startsWith(':') && !next.startsWith('::')) return UNSURE.test(name) && !/^[A-Z]+$/.test(name) ? null : level
  // In small letters it may be a word of a sentence, unless something sets it apart.
  return !UNSURE.test(name) && /^(?:\t|\s{2}|\s?\||\s[-[\u2502])/.test(next) ? level : null
}

function isLabel(word: string, next: string, behindAnother: boolean): boolean {
  if (word === 'PHP' || /^:(?:\s|[a-zA-Z_])|^\s{0,20}\||^\s- |^\s--/.test(next)) return true
  return behindAnother && /[./@]|\[\d+\]$/.test(word) && /^[\s:]/.test(next)
}

/** logfmt. */
function pairs(text: string, facts: Facts, now: EpochMs): void {
  for (const [, key = '', quoted, bare = ''] of text.matchAll(PAIRS)) {
    const value = quoted ?? bare
    if (/^(?:level|lvl|severity|loglevel|log[._]level|levelname|at)$/i.test(key)) facts.level ??= levelOfWord(value)
    else if (/^(?:time|ts|t|timestamp|@timestamp|datetime|date)$/i.test(key))
      facts.at ??= stampAt(value, 0, now)?.at ?? null
  }
}

function execAt(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from
  return pattern.exec(text)
}

function lengthAt(pattern: RegExp, text: string, from: number): number {
  return execAt(pattern, text, from)?.[0].length ?? 0
}
