import type { EpochMs } from '../../model/ids.ts'
import { TimeIndex, type TimePoint } from '../time-index.ts'

/** When something was written: not before, and not after. */
export interface TimeWindow {
  readonly from: EpochMs
  readonly to: EpochMs
}

/** A line of a run is written after its start and before its end, also within the same millisecond. */
const STRICTLY = 0.4

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
  #outer: TimeWindow

  constructor(home: string, path: string, outer: TimeWindow) {
    this.#home = home
    this.#path = path
    this.#outer = outer
    this.#window = outer
    this.#index = new TimeIndex(home, path)
  }

  get index(): TimeIndex {
    return this.#index
  }

  close(): void {
    this.#index.close()
  }

  /** @param outer what holds for all that is read from now on */
  refresh(outer: TimeWindow): void {
    this.#outer = outer
    this.#index.close()
    this.#index = new TimeIndex(this.#home, this.#path)
    this.#count = Math.min(this.#count, this.#index.length)
    this.#end = -1
  }

  /** Quick when the addresses go up. */
  window(address: number): TimeWindow {
    if (address < this.#start || address >= this.#end) this.#seek(address)
    return this.#window
  }

  /** The start or end of a run that is nearest to a moment, but no further away. */
  nearest(kind: 'start' | 'end', at: EpochMs, withinMs: number): TimePoint | null {
    let best: TimePoint | null = null
    for (let i = this.#countTo((point) => point.at <= at + withinMs) - 1; i >= 0; i--) {
      const point = this.#index.at(i)
      if (point === null || point.at < at - withinMs) break
      if (point.kind !== kind) continue
      if (best === null || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point
    }
    return best
  }

  /** The last starts of runs, newest first. */
  starts(count: number): TimePoint[] {
    const starts: TimePoint[] = []
    for (let i = this.#index.length - 1; i >= 0 && starts.length < count; i--) {
      const point = this.#index.at(i)
      if (point?.kind === 'start') starts.push(point)
    }
    return starts
  }

  #seek(address: number): void {
    const holds = (point: TimePoint): boolean => point.address <= address
    if (address < this.#start) this.#count = this.#countTo(holds)
    else {
      for (let steps = 0; ; steps++) {
        const next = this.#index.at(this.#count)
        if (next === null || !holds(next)) break
        this.#count = steps < 8 ? this.#count + 1 : this.#countTo(holds)
      }
    }
    const before = this.#index.at(this.#count - 1)
    const after = this.#index.at(this.#count)
    const from = before === null ? this.#outer.from : before.at + (before.kind === 'start' ? STRICTLY : 0)
    const to = after === null ? this.#outer.to : after.at - (after.kind === 'end' ? STRICTLY : 0)
    // What was read by somebody who follows was written since he last looked.
    const floor = Math.max(from, this.#outer.from)
    this.#window = { from: Math.min(floor, Math.max(from, to)), to: Math.max(to, from) }
    this.#start = before?.address ?? 0
    this.#end = after?.address ?? Number.POSITIVE_INFINITY
  }

  #countTo(holds: (point: TimePoint) => boolean): number {
    let low = 0
    let high = this.#index.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const point = this.#index.at(middle)
      if (point !== null && holds(point)) low = middle + 1
      else high = middle
    }
    return low
  }
}
