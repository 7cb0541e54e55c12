/** The files that hold the events of a scope: `events.ndjson`, and `.1` (newest) to `.3` once it has been rotated. */

import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredEvent } from '../model/events.ts'
import type { ScopeId } from '../model/ids.ts'
import { scopeDir, scopesDir } from './paths.ts'

/** Rotated files that are kept beside the one that grows. */
export const KEPT_EVENT_FILES = 3

/** @param age 0: the file that grows; 1: the one before it … */
export function eventFile(home: string, scope: ScopeId, age = 0): string {
  return join(scopeDir(home, scope), age === 0 ? 'events.ndjson' : `events.ndjson.${age}`)
}

/** The scopes that have files here, in the order of their names. */
export function knownScopes(home: string): ScopeId[] {
  const root = scopesDir(home)
  return list(root).flatMap((project) => list(join(root, project)).map((environment) => ({ project, environment })))
}

/** The event of a line; null when it is none: torn by a crash, or written by an eco before 0.1. */
export function parseEvent(line: string): StoredEvent | null {
  if (line === '') return null
  try {
    const event = JSON.parse(line) as Partial<StoredEvent> | null
    return typeof event?.seq === 'number' && typeof event.at === 'string' ? (event as StoredEvent) : null
  } catch {
    return null
  }
}

export function parseEvents(text: string): StoredEvent[] {
  return text.split('\n').flatMap((line) => parseEvent(line) ?? [])
}

/** All events of one file, oldest first. */
export function readEventFile(path: string): StoredEvent[] {
  try {
    return parseEvents(readFileSync(path, 'utf8'))
  } catch {
    return []
  }
}

const TAIL_BYTES = 64 * 1024

/**
 * Where a writer goes on: the number of the last event, and whether the file ends in the middle of a line.
 *
 * @returns seq 0 when there is no event yet
 */
export function endOfEvents(home: string, scope: ScopeId): { seq: number; isTorn: boolean } {
  const text = readEnd(eventFile(home, scope))
  const isTorn = text !== '' && !text.endsWith('\n')
  for (const tail of [text, readEnd(eventFile(home, scope, 1))]) {
    const seq = parseEvents(tail).at(-1)?.seq
    if (seq !== undefined) return { seq, isTorn }
  }
  return { seq: 0, isTorn }
}

function readEnd(path: string): string {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES))
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length))
  } catch {
    return ''
  } finally {
    closeSync(fd)
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir).sort()
  } catch {
    return []
  }
}
