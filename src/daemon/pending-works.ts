import type { AppliedState, Hold } from '../model/applied.ts'
import type { PendingStore, PendingWork } from '../state/pending-store.ts'

/** The journal of what is being carried out in a scope, for the next daemon. */
export class PendingWorks {
  readonly #store: PendingStore
  #works: readonly PendingWork[] = []

  constructor(store: PendingStore) {
    this.#store = store
  }

  begin(work: PendingWork): void {
    this.#save([...this.#works, work])
  }

  end(plan: string): void {
    const works = this.#works.filter((work) => work.plan !== plan)
    if (works.length < this.#works.length) this.#save(works)
  }

  /** Forgets what an earlier daemon left, once all is as it should be. */
  settled(): void {
    this.#save(this.#works)
  }

  /** A disk without room is no reason to refuse: it is only missed when the daemon dies, too. */
  #save(works: readonly PendingWork[]): void {
    this.#works = works
    try {
      this.#store.save(works)
    } catch (error) {
      console.error(`cannot note what is being carried out: ${(error as Error).message}`)
    }
  }
}

/** What an earlier daemon had begun and not ended. @param written plans of the revisions that are on disk, by serial */
export function cutOff(
  works: readonly PendingWork[],
  written: readonly { readonly serial: number; readonly plan: string }[],
): readonly PendingWork[] {
  return works.filter((work) => !written.some(({ serial, plan }) => serial > work.serial && plan === work.plan))
}

/** The holds that are in force again when a change that ended some is taken back. Those that came later stay. */
export function holdsWithout(works: readonly PendingWork[], { apps, holds }: AppliedState): AppliedState['holds'] {
  const back = works
    .filter(({ makesRevision }) => makesRevision)
    .flatMap(({ endedHolds }) => Object.entries(endedHolds))
    .filter(([app]) => Object.hasOwn(apps, app) && !Object.hasOwn(holds, app))
  return back.length === 0 ? holds : { ...holds, ...Object.fromEntries<Hold>(back) }
}

/** Verbs that are remembered before anything is done: they come true whoever carries them out. */
const HOLDS: ReadonlySet<string> = new Set(['start', 'stop', 'scale'])

/** A sentence for the events of the scope. */
export function cutOffText({ what, by, makesRevision }: PendingWork, serial: number): string {
  const cut = `the ${what} by ${by} was cut off by the end of the daemon`
  const [verb = what] = what.split(' ')
  if (!makesRevision && HOLDS.has(verb)) return `${cut}; this one finishes it`
  const again = verb === 'rollback' ? `eco rollback ${what.slice('rollback to '.length)}` : `eco ${verb}`
  if (!makesRevision) return `${cut}; some instances may not have had their turn: ${again} repeats it`
  return serial === 0
    ? `${cut}; nothing of it stays: ${again} begins again`
    : `${cut}; revision ${serial} is brought back: ${again} repeats it`
}
