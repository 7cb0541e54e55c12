/** Events for people: local time, whom it is about, the sentence. */

import { neutralise } from '../config/diagnostic.ts'
import type { EventName, StoredEvent } from '../model/events.ts'

export interface EventTextOptions {
  readonly color: boolean
  /** Columns of the terminal; null: lines are not broken. */
  readonly width: number | null
  /** Say the scope too: events of several are shown. */
  readonly scope: boolean
}

/** One event, with a newline; a long sentence goes on under itself. */
export function eventText(event: StoredEvent, { color, width, scope }: EventTextOptions): string {
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const time = localTime(event.at)
  const name = event.instance ?? event.app ?? 'eco'
  const subject = (scope ? `${event.scope}/${name}` : name).padEnd(scope ? 24 : 12)
  const indent = time.length + subject.length + 4
  const lines = wrap(neutralise(event.message), width === null ? Infinity : Math.max(20, width - indent))
  const tone = TONES[event.event]
  const body = lines.map((line) => (tone === undefined ? line : paint(tone, line))).join(`\n${' '.repeat(indent)}`)
  return `${paint(2, time)}  ${subject}  ${body}\n`
}

const RED = 31
const GREEN = 32
const YELLOW = 33

const TONES: Readonly<Partial<Record<EventName, number>>> = {
  ready: GREEN,
  step_done: GREEN,
  unready: YELLOW,
  fault: YELLOW,
  restarting: YELLOW,
  killed: YELLOW,
  log_lost: YELLOW,
  step_rolled_back: YELLOW,
  failed: RED,
  hook_failed: RED,
  step_failed: RED,
  problem: RED,
  logs_full: RED,
  logs_resumed: GREEN,
}
/** `2026-01-31 18:04:05`, in the time zone of whoever reads it. */
export function localTime(at: string | number): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
    while (line.length > width) {
      lines.push(line.slice(0, width))
      line = line.slice(width)
    }
  }
  return [...lines, line]
}
