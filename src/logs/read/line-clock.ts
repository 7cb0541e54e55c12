import { statSync } from 'node:fs'
import type { EpochMs } from '../../model/ids.ts'
import { indexFile } from '../layout.ts'
import { POINT_BYTES, TimeIndex, type TimePoint } from '../time-index.ts'

/** When something was written: not before, and not after. */
export interface TimeSpan {
  readonly from: EpochMs
  readonly to: EpochMs
}

export interface TimeWindow extends TimeSpan {
  /** The time of a line that says none itself: the latest that it can be. */
  readonly usual: EpochMs
}

/** Where and when a run began and ended. */
export interface RunBounds {
  readonly from: TimePoint
  readonly to: TimePoint
}

/** A line of a run is written after its start and before its end, also within the same millisecond. */
const STRICTLY = 0.4

/**
 * The time that a line carries was taken before it was written: by a machine that is busy, or a logger that gathers lines,
 * a good while before.
 */
const LAG_MS = 2000
/** Clocks of file systems tick, and a point is written some milliseconds after its moment. */
const EARLY_MS = 50

/** Starts and ends that are looked through for those of runs at the same time. */
const MOST_EDGES = 16

/** Between which times an address was written, by the time index. */
export class LineClock {
  readonly #home: string
  readonly #path: string
  #index: TimeIndex
  /** Number of points at or before the address that was asked for last. */
  #count = 0
  #window: TimeWindow
  /** Addresses that the window is good for. */
  #start = 0
  #end = -1
  /** For what the index knows nothing about. */
  #outer: TimeSpan

  constructor(home: string, path: string, outer: TimeSpan) {
    this.#home = home
    this.#path = path
    this.#outer = outer
    this.#window = { ...outer, usual: outer.to }
    this.#index = new TimeIndex(home, path)
  }

  get index(): TimeIndex {
    return this.#index
  }

  close(): void {
    this.#index.close()
  }

  /** @param outer what holds for all that is read from now on */
  refresh(outer: TimeSpan): void {
    this.#outer = outer
    this.#end = -1
    const size = statSync(indexFile(this.#home, this.#path, 'idx'), { throwIfNoEntry: false })?.size ?? 0
    if (Math.floor(size / POINT_BYTES) === this.#index.length) return
    const before = this.#index
    before.close()
    this.#index = new TimeIndex(this.#home, this.#path)
    // The points of what has been removed are gone: all others have moved up.
    if (this.#index.length < before.length) this.#start = Number.POSITIVE_INFINITY
  }

  /** Quick when the addresses go up. */
  window(address: number): TimeWindow {
    if (address < this.#start || address >= this.#end) this.#seek(address)
    return this.#window
  }

  /** The first point from a moment on. null: there is none. */
  after(at: EpochMs): TimePoint | null {
    return this.#index.at(this.#index.countWhile((point) => point.at < at))
  }

  /** The last start of a run up to a moment. null: there is none so shortly before. */
  startBefore(at: EpochMs, withinMs: number): TimePoint | null {
    for (let i = this.#index.countWhile((point) => point.at <= at) - 1; i >= 0; i--) {
      const point = this.#index.at(i)
      if (point === null || point.at < at - withinMs) return null
      if (point.kind === 'start') return point
    }
    return null
  }

  /** The first end of a run from a moment on. null: there is none so shortly behind. */
  endAfter(at: EpochMs, withinMs: number): TimePoint | null {
    for (let i = this.#index.countWhile((point) => point.at < at); ; i++) {
      const point = this.#index.at(i)
      if (point === null || point.at > at + withinMs || point.kind === 'start') return null
      if (point.kind === 'end') return point
    }
  }

  /**
   * Where runs ended that had the file to themselves, behind one address and up to another: a line does not go on there,
   * even if the app left its end away.
   */
  ends(from: number, to: number): number[] {
    const ends: number[] = []
    for (let i = this.#index.countWhile((point) => point.address <= from); ; i++) {
      const point = this.#index.at(i)
      if (point === null || point.address > to) return ends
      if (point.kind === 'end' && this.#isLastEnd(i)) ends.push(point.address)
    }
  }

  /**
   * Whether all runs that had begun by the end of one had ended, too. A guess, for points tell no runs apart: right for
   * one run after the other and for two that overlap, as in a rolling change.
   */
  #isLastEnd(end: number): boolean {
    let open = 1
    for (let i = this.#index.edgeBefore(end), seen = 0; i >= 0 && seen < MOST_EDGES; seen++) {
      open += this.#index.at(i)?.kind === 'end' ? 1 : -1
      i = this.#index.edgeBefore(i)
      if (open === 0) return i < 0 || this.#index.at(i)?.kind === 'end'
    }
    return false
  }

  /** The run before the last start. null: there was none. */
  previousRun(): RunBounds | null {
    let newest: TimePoint | null = null
    let firstEnd: TimePoint | null = null
    for (let i = this.#index.edgeBefore(this.#index.length); i >= 0; i = this.#index.edgeBefore(i)) {
      const point = this.#index.at(i)
      if (point?.kind === 'end') firstEnd = point
      if (point?.kind !== 'start') continue
      if (newest === null) newest = point
      else if (firstEnd === null || firstEnd.address < newest.address) return { from: point, to: newest }
      // In a rolling change the old one wrote on after the new one had started.
      else return { from: point, to: firstEnd.at < newest.at ? newest : firstEnd }
    }
    return null
  }

  #seek(address: number): void {
    const holds = (point: TimePoint): boolean => point.address <= address
    if (address < this.#start) this.#count = this.#index.countWhile(holds)
    else {
      for (let steps = 0; ; steps++) {
        const next = this.#index.at(this.#count)
        if (next === null || !holds(next)) break
        this.#count = steps < 8 ? this.#count + 1 : this.#index.countWhile(holds)
      }
    }
    const before = this.#index.at(this.#count - 1)
    const after = this.#index.at(this.#count)
    const from = before === null ? this.#outer.from : before.at + (before.kind === 'start' ? STRICTLY : -LAG_MS)
    const isEnd = after?.kind === 'end'
    const usual = Math.max(after === null ? this.#outer.to : after.at - (isEnd ? STRICTLY : 0), from)
    const to = usual + (isEnd ? 0 : EARLY_MS)
    // What was read by somebody who follows was written since he last looked.
    const floor = Math.max(from, this.#outer.from - LAG_MS)
    this.#window = { from: Math.min(floor, to), to, usual }
    this.#start = before?.address ?? 0
    this.#end = after?.address ?? Number.POSITIVE_INFINITY
  }
}
