/** How lines and markers are printed. */

import { neutralise } from '../../config/diagnostic.ts'
import { prettyLine } from '../../logs/line/pretty.ts'
import { colorOf, prefixOf } from '../../logs/prefix.ts'
import type { ReadLine } from '../../logs/read/log-source.ts'
import { scopeName } from '../../model/ids.ts'
import type { LogStream } from './log-files.ts'
import type { Marker } from './markers.ts'
import type { LogQuery } from './query.ts'
import type { Sink } from './sink.ts'

export interface PrinterOptions extends Pick<LogQuery, 'form' | 'time'> {
  readonly color: boolean
  /** A terminal: nothing that a line holds may drive it, and people read it. */
  readonly isTerminal: boolean
}

const DIM = 2
const RED = 31
const BOLD = 1
const FAILURES: ReadonlySet<string> = new Set(['failed', 'hook_failed', 'step_failed', 'problem'])

export class Printer {
  readonly #sink: Sink
  readonly #options: PrinterOptions
  readonly #prefixes = new Map<LogStream, Buffer>()
  #apps: string[] = []
  #isScopeShown = false
  #width = 0

  constructor(sink: Sink, options: PrinterOptions) {
    this.#sink = sink
    this.#options = options
  }

  /** All whose lines are going to be printed. Whoever has a colour keeps it. */
  know(streams: readonly LogStream[]): void {
    const scopes = new Set(streams.map(({ scope }) => scopeName(scope)))
    this.#isScopeShown = scopes.size > 1
    this.#apps = [...new Set([...this.#apps, ...streams.map(appKey)])]
    this.#width = Math.max(0, ...streams.map((stream) => this.#nameOf(stream).length))
    this.#prefixes.clear()
  }

  line(line: ReadLine<LogStream>): void {
    const { form, isTerminal } = this.#options
    if (form === 'json') return this.#text(this.#json(line))
    if (form === 'raw') {
      this.#sink.add(line.line.bytes)
      if (!line.line.goesOn) this.#sink.newline()
      return
    }
    const { bytes, length } = line.line
    if (isTerminal) this.#forPeople(line)
    else {
      this.#head(line)
      this.#sink.add(bytes)
      if (length <= bytes.length) this.#sink.newline()
    }
    if (length > bytes.length) this.#text(` … ${this.#paint(DIM, cutNote(length))}`)
  }

  marker({ event, time, isMeant }: Marker): void {
    const { scope, app, instance, message, seq, event: kind } = event
    if (this.#options.form === 'json') {
      const at = new Date(time).toISOString()
      return this.#text(JSON.stringify({ type: 'marker', time: at, scope, app, instance, event: kind, message, seq }))
    }
    const who = instance ?? app
    const name = this.#isScopeShown ? (who === null ? `${scope}:` : `${scope}/${who}`) : (who ?? '')
    const text = `── ${clockTime(time)} ${name === '' ? '' : `${name} `}${neutralise(message)}`
    if (isMeant) this.#text(`${this.#paint(BOLD, `▶${text}`)} ${this.#paint(BOLD, `◀ event ${seq}`)}`)
    else this.#text(this.#paint(FAILURES.has(kind) ? RED : DIM, text))
  }

  #forPeople(line: ReadLine<LogStream>): void {
    const { color } = this.#options
    const shown = prettyLine(line.parsed, line.text, { color })
    const rows = shown.split('\n')
    for (const [row, text] of rows.entries()) {
      this.#head(line)
      this.#sink.add(Buffer.from(text))
      if (row < rows.length - 1 || line.line.length <= line.line.bytes.length) this.#sink.newline()
    }
  }

  #head(line: ReadLine<LogStream>): void {
    this.#sink.add(this.#prefix(line.file))
    if (this.#options.time && line.time !== null) {
      this.#sink.add(Buffer.from(`${this.#paint(DIM, clockTime(line.time, true))} `))
    }
  }

  #json({ file, line, text, time, parsed }: ReadLine<LogStream>): string {
    const { scope, app, instance, stream } = file
    return JSON.stringify({
      type: 'line',
      time: time === null ? null : new Date(time).toISOString(),
      scope: scopeName(scope),
      app,
      instance,
      stream,
      level: parsed.level,
      line: text,
      ...(line.length > line.bytes.length ? { cut_from_bytes: line.length } : {}),
    })
  }

  #text(text: string): void {
    this.#sink.add(Buffer.from(`${text}\n`))
  }

  #prefix(stream: LogStream): Buffer {
    let prefix = this.#prefixes.get(stream)
    if (prefix === undefined) {
      const color = this.#options.color ? colorOf(appKey(stream), this.#apps) : null
      const isErr = stream.stream === 'err'
      prefix = prefixOf(this.#nameOf(stream), this.#width, color, isErr ? '!' : '|')
      this.#prefixes.set(stream, prefix)
    }
    return prefix
  }

  #nameOf({ scope, app, instance, path }: LogStream): string {
    const name = instance ?? app ?? path.slice(path.lastIndexOf('/') + 1)
    return this.#isScopeShown ? `${scopeName(scope)}/${name}` : name
  }

  #paint(code: number, text: string): string {
    return this.#options.color ? `\u001b[${code}m${text}\u001b[0m` : text
  }
}

function appKey({ scope, app, path }: LogStream): string {
  return `${scopeName(scope)}/${app ?? path}`
}

function cutNote(length: number): string {
  return `(cut: the line has ${length} bytes; --raw prints all of it)`
}

/** `18:04:05`, in the time zone of whoever reads it; with its day when that is another one. */
function clockTime(at: number, isExact = false): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const exact = isExact ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time
  if (date.toDateString() === new Date().toDateString()) return exact
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${exact}`
}
