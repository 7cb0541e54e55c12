import { Cancellation } from '../executor/cancellation.ts'

/** A plan that is being carried out. */
export interface Work {
  readonly by: string
  readonly since: number
  readonly what: string
  /** Begun by the daemon itself: what an operator asks for waits for it, and is not refused. */
  readonly isOwn: boolean
  readonly cancellation: Cancellation
  /** Apps that another verb deals with meanwhile, and which verb (a clause): what it makes of them stays. */
  readonly overruled: Map<string, string>
  /** Resolves when the work is over. */
  readonly over: Promise<void>
}

/** The plans of one scope that are being carried out: one, and the stops and deletes beside it. */
export class Works {
  readonly #works = new Set<Work>()

  get isIdle(): boolean {
    return this.#works.size === 0
  }

  /** One that an operator began. */
  get ofOperator(): Work | null {
    return this.#find((work) => !work.isOwn)
  }

  /** `apply by ann`; null: nothing is being carried out. */
  get description(): string | null {
    const what = [...this.#works].map((work) => `${work.what} by ${work.by}`)
    return what.length === 0 ? null : what.join(', ')
  }

  async carryOut<T>(
    who: Pick<Work, 'by' | 'what' | 'isOwn'>,
    act: (work: Omit<Work, 'over'>) => Promise<T>,
  ): Promise<T> {
    const begun = { ...who, since: Date.now(), cancellation: new Cancellation(), overruled: new Map<string, string>() }
    const running = act(begun)
    const work: Work = { ...begun, over: running.then(noop, noop) }
    this.#works.add(work)
    try {
      return await running
    } finally {
      this.#works.delete(work)
    }
  }

  async whenIdle(): Promise<void> {
    while (!this.isIdle) await Promise.all([...this.#works].map(({ over }) => over))
  }

  /** Resolves once nothing is being carried out that the daemon began by itself. */
  async whenOwnOver(): Promise<void> {
    const own = (): Work | null => this.#find(({ isOwn }) => isOwn)
    for (let work = own(); work; work = own()) await work.over
  }

  /** Apps that something is still done to. */
  get active(): readonly string[] {
    return [...this.#works].flatMap(({ cancellation }) => cancellation.active)
  }

  /** Cancels whatever is being brought up. */
  cancelAll(reason: string): void {
    for (const { cancellation } of this.#works) cancellation.cancelAll(reason)
  }

  /**
   * Takes apps out of what is being carried out.
   *
   * @param tell told of each work that was about to do something to them
   * @returns once nothing acts on them any more
   */
  async cancel(apps: readonly string[], reason: string, tell: (work: Work) => void): Promise<void> {
    // Before anything is waited for: a work that ends meanwhile must not record what it made of them.
    for (const { overruled } of this.#works) for (const app of apps) overruled.set(app, reason)
    const involved = (): Work[] => [...this.#works].filter(({ cancellation }) => cancellation.isActive(apps))
    for (let works = involved(); works.length > 0; works = involved()) {
      for (const work of works) tell(work)
      await Promise.all(works.map(({ cancellation }) => cancellation.cancel(apps, reason)))
    }
    for (const { cancellation } of this.#works) void cancellation.cancel(apps, reason) // what it has not begun yet
  }

  #find(matches: (work: Work) => boolean): Work | null {
    return [...this.#works].find(matches) ?? null
  }
}

function noop(): void {}
