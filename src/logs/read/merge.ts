/** Several sources, each in its own order, as one in the order of their times. */

import type { EpochMs } from '../../model/ids.ts'
import type { TimeSpan } from './line-clock.ts'

export interface Source<T> {
  /** Whether there is a head already; false: `fill` looks for one. */
  readonly isReady: boolean
  /** @returns whether there is a head; false: there is nothing more for now */
  fill(): Promise<boolean>
  /** Of the head: between which times it is from, which costs nothing to know. */
  window(): TimeSpan
  /** Of the head, within its window. Never less than that of an item before. */
  time(): EpochMs
  take(): T
  /** The head belongs to what was taken before, and comes right behind it. */
  goesOn(): boolean
}

/**
 * Gives everything there is to `emit`. What has the same time comes in the order of the sources, so lines of one time in
 * one file stay together.
 */
export async function merge<T>(sources: readonly Source<T>[], emit: (item: T) => void): Promise<void> {
  const active: Source<T>[] = []
  for (const source of sources) if (await isThere(source)) active.push(source)
  while (active.length > 0) {
    const best = first(active, -1)
    const source = active[best]
    if (source === undefined) return
    const second = first(active, best)
    const other = active[second]
    let more: boolean
    do {
      emit(source.take())
      more = source.isReady || (await isThere(source))
    } while (more && (other === undefined || source.goesOn() || isFirst(source, best, other, second)))
    if (!more) active.splice(best, 1)
  }
}

async function isThere<T>(source: Source<T>): Promise<boolean> {
  return source.isReady || (await source.fill())
}

/** @returns its number, leaving one out; -1: there is none */
function first<T>(sources: readonly Source<T>[], without: number): number {
  let best = -1
  for (let i = 0; i < sources.length; i++) {
    const [source, before] = [sources[i], sources[best]]
    if (i === without || source === undefined) continue
    if (before === undefined || isFirst(source, i, before, best)) best = i
  }
  return best
}

/** Looks into lines only where their windows overlap. */
function isFirst<T>(a: Source<T>, aRank: number, b: Source<T>, bRank: number): boolean {
  const [one, other] = [a.window(), b.window()]
  if (one.to < other.from) return true
  if (other.to < one.from) return false
  const [at, bt] = [a.time(), b.time()]
  return at < bt || (at === bt && aRank < bRank)
}

/** What is in memory already. */
export class ListSource<T> implements Source<T> {
  readonly #items: T[] = []
  readonly #timeOf: (item: T) => EpochMs
  #at = 0
  #last = Number.NEGATIVE_INFINITY

  constructor(timeOf: (item: T) => EpochMs, items: readonly T[] = []) {
    this.#timeOf = timeOf
    this.#items.push(...items)
  }

  add(items: readonly T[]): void {
    this.#items.push(...items)
  }

  get isReady(): boolean {
    return this.#at < this.#items.length
  }

  fill(): Promise<boolean> {
    return Promise.resolve(this.isReady)
  }

  window(): TimeSpan {
    const at = this.time()
    return { from: at, to: at }
  }

  time(): EpochMs {
    const item = this.#items[this.#at]
    return item === undefined ? this.#last : Math.max(this.#last, this.#timeOf(item))
  }

  take(): T {
    const item = this.#items[this.#at]
    if (item === undefined) throw new Error('Internal error: an empty source was asked for more')
    this.#last = this.time()
    this.#at++
    if (this.#at === this.#items.length) {
      this.#items.length = 0
      this.#at = 0
    }
    return item
  }

  goesOn(): boolean {
    return false
  }
}
