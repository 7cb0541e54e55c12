import type { AppSpec } from '../model/spec.ts'

/** What ordering needs to know of a step. */
export interface Ordered {
  readonly app: string
  /** True when the step leaves no instance: its app goes after those that depended on it. */
  readonly down: boolean
  /** Dependencies after the plan and before it. */
  readonly dependsOn: AppSpec['dependsOn']
  readonly dependedOn: AppSpec['dependsOn']
}

/**
 * Orders steps: at most one for each app, or two, of which the first takes it down and the second brings it up again.
 *
 * What comes up waits for its dependencies that come up (or change) too; what goes down waits for the steps of all that
 * depended on it. An app in two halves is down before anything happens to its dependencies. Independent steps stand in
 * order of name, and nothing ties them together: they may run at once.
 *
 * @returns the steps with the indexes, in the returned list, of those each must wait for
 */
export function orderSteps<T extends Ordered>(steps: readonly T[]): readonly { step: T; after: readonly number[] }[] {
  const sorted = [...steps].toSorted((a, b) => compareNames(a.app, b.app) || Number(b.down) - Number(a.down))
  const ups = new Map<string, number>()
  const downs = new Map<string, number>()
  for (const [index, { app, down }] of sorted.entries()) (down ? downs : ups).set(app, index)
  const waitsFor: number[][] = sorted.map(() => [])
  const frees: number[][] = sorted.map(() => [])
  const edge = (from: number | undefined, to: number | undefined) => {
    if (from === undefined || to === undefined || waitsFor[to]?.includes(from)) return
    waitsFor[to]?.push(from)
    frees[from]?.push(to)
  }
  for (const [index, { app, down, dependsOn, dependedOn }] of sorted.entries()) {
    const isHalf = ups.has(app) && downs.has(app)
    if (!down) for (const name in dependsOn) edge(ups.get(name), index)
    if (!down && isHalf) edge(downs.get(app), index)
    for (const name in dependedOn) {
      // What is up when the plan is through may go on beside a dependency that only is down for a while.
      if (down) edge(index, downs.get(name) ?? (isHalf ? ups.get(name) : undefined))
      else if (!isHalf && !ups.has(name)) edge(index, downs.get(name))
    }
  }
  return topological(sorted, waitsFor, frees)
}

/** Kahn's algorithm; of the steps that are free, the first by name goes next. */
function topological<T extends Ordered>(
  sorted: readonly T[],
  waitsFor: readonly (readonly number[])[],
  frees: readonly (readonly number[])[],
): { step: T; after: readonly number[] }[] {
  const open = waitsFor.map((edges) => edges.length)
  const position = new Map<number, number>()
  const ordered: { step: T; after: readonly number[] }[] = []
  // Highest first, so that the next one is popped off the end.
  const free = [...sorted.keys()].filter((index) => open[index] === 0).toReversed()
  for (let index = free.pop(); index !== undefined; index = free.pop()) {
    const step = sorted[index]
    if (step === undefined) continue
    position.set(index, ordered.length)
    const after = (waitsFor[index] ?? []).map((other) => position.get(other) ?? 0).toSorted((a, b) => a - b)
    ordered.push({ step, after })
    for (const other of frees[index] ?? []) {
      open[other] = (open[other] ?? 0) - 1
      if (open[other] === 0) insertDescending(free, other)
    }
  }
  if (ordered.length < sorted.length) {
    const stuck = sorted.filter((_, index) => !position.has(index)).map((step) => step.app)
    throw new Error(`Internal error: the dependencies of ${stuck.join(', ')} form a cycle`)
  }
  return ordered
}

function insertDescending(list: number[], value: number): void {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((list[middle] ?? 0) > value) low = middle + 1
    else high = middle
  }
  list.splice(low, 0, value)
}

/** By code unit: the same everywhere, whatever the locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
