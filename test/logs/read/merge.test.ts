import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ListSource, merge, type Source } from '../../../src/logs/read/merge.ts'

interface Item {
  readonly source: number
  readonly number: number
  readonly time: number
}

/** A source that is sure of its times only when it looks, as a log is; and it counts how often it did. */
class Vague extends ListSource<Item> {
  looks = 0
  readonly #slack: number

  constructor(items: readonly Item[], slack: number) {
    super(({ time }) => time, items)
    this.#slack = slack
  }

  override window(): { from: number; to: number } {
    const at = super.time()
    return { from: at - this.#slack, to: at + this.#slack }
  }

  override time(): number {
    this.looks++
    return super.time()
  }
}

async function merged(sources: readonly Source<Item>[]): Promise<Item[]> {
  const items: Item[] = []
  await merge(sources, (item) => items.push(item))
  return items
}

const lists = fc
  .array(fc.array(fc.integer({ min: 0, max: 20 })), { maxLength: 6 })
  .map((times) =>
    times.map((list, source) => list.sort((a, b) => a - b).map((time, number): Item => ({ source, number, time }))),
  )

test('everything comes, once, in the order of its times and of the sources', async () => {
  await fc.assert(
    fc.asyncProperty(lists, fc.integer({ min: 0, max: 5 }), async (items, slack) => {
      const expected = items.flat().sort((a, b) => a.time - b.time || a.source - b.source || a.number - b.number)
      expect(await merged(items.map((list) => new Vague(list, slack)))).toEqual(expected)
    }),
  )
})

test('a time that goes back does not reorder a source', async () => {
  const going = [5, 3, 9].map((time, number): Item => ({ source: 0, number, time }))
  const other = [4, 6].map((time, number): Item => ({ source: 1, number, time }))
  const items = await merged([new ListSource<Item>(({ time }) => time, going), new Vague(other, 0)])
  expect(items.map(({ source, number }) => `${source}.${number}`)).toEqual(['1.0', '0.0', '0.1', '1.1', '0.2'])
})

test('lines are looked into only where it is not clear which is the first', async () => {
  const early = Array.from({ length: 50 }, (_, number): Item => ({ source: 0, number, time: number }))
  const late = Array.from({ length: 50 }, (_, number): Item => ({ source: 1, number, time: 1000 + number }))
  const sources = [new Vague(early, 3), new Vague(late, 3)]
  expect((await merged(sources)).length).toBe(100)
  // Twice for each item by this class itself.
  const [one, other] = sources
  const own = 50
  expect((one?.looks ?? 0) - own).toBeLessThanOrEqual(own)
  expect((other?.looks ?? 0) - own).toBeLessThanOrEqual(own)
})
