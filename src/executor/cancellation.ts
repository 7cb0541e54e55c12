/** Lets a plan that is being carried out be told that some of its apps are not to be brought up any more. */
export class Cancellation {
  readonly #controllers = new Map<string, AbortController>()
  readonly #steps = new Map<string, Set<Promise<unknown>>>()
  #all: string | null = null

  /** Comes with its reason, a sentence, when the steps of an app are cancelled. */
  signal(app: string): AbortSignal {
    return this.#controller(app).signal
  }

  /** A step of the app has begun, or waits to; it is over with the promise. */
  track(app: string, step: Promise<unknown>): void {
    const steps = this.#steps.get(app) ?? new Set()
    this.#steps.set(app, steps.add(step))
    void step.finally(() => {
      steps.delete(step)
      if (steps.size === 0) this.#steps.delete(app)
    })
  }

  /** Apps with steps that are not over. */
  get active(): readonly string[] {
    return [...this.#steps.keys()]
  }

  isActive(apps: readonly string[]): boolean {
    return apps.some((app) => this.#steps.has(app))
  }

  /** @returns once no step acts on these apps any more; one that takes something down is waited for, not cancelled */
  async cancel(apps: readonly string[], reason: string): Promise<void> {
    for (const app of apps) this.#controller(app).abort(reason)
    await Promise.all(apps.flatMap((app) => [...(this.#steps.get(app) ?? [])]))
  }

  /** Cancels the steps of every app, also those that have not begun yet. */
  cancelAll(reason: string): void {
    this.#all = reason
    for (const controller of this.#controllers.values()) controller.abort(reason)
  }

  #controller(app: string): AbortController {
    let controller = this.#controllers.get(app)
    if (!controller) {
      this.#controllers.set(app, (controller = new AbortController()))
      if (this.#all !== null) controller.abort(this.#all)
    }
    return controller
  }
}
