import { type InstanceDrain, drainInstance, openInstance } from './control-sockets.ts'
import { MESSAGE_SIGNAL } from './stop-message.ts'

/** What is told of the traffic of one run; nothing after it was closed. */
export interface TrafficEvents {
  drained(): void
  /** There are sentences about what is not as it should be. */
  noted(notes: readonly string[]): void
}

/** Lets the processes of one run take connections, and has them finish with those they have. */
export class InstanceTraffic {
  readonly #events: TrafficEvents
  #drain: InstanceDrain | null = null
  #connectionsLeft: number | null = null

  constructor(events: TrafficEvents) {
    this.#events = events
  }

  /** Open ones, as the latest drain told; null: it did not. */
  get connectionsLeft(): number | null {
    return this.#connectionsLeft
  }

  /**
   * @param folder of its sockets; null: it has none, and accepts as it likes
   * @returns what keeps it from accepting; null: nothing
   */
  async open(folder: string | null): Promise<string | null> {
    if (folder === null) return null
    const { notes, failure } = await openInstance(folder)
    if (notes.length > 0) this.#events.noted(notes)
    return failure
  }

  /**
   * @param folder of its sockets; null: it has none, and nobody can say whether anything is left
   * @param stopSignal what it will be asked to end by, where not by a message
   */
  drain(folder: string | null, stopSignal: NodeJS.Signals): void {
    if (folder === null) return queueMicrotask(() => this.#events.drained())
    this.#connectionsLeft = null
    this.#drain = drainInstance(folder, [stopSignal, MESSAGE_SIGNAL], {
      left: (connections) => {
        this.#connectionsLeft = connections
      },
      drained: (silent) => {
        if (silent) this.#events.noted(['it did not answer when it was to drain'])
        this.#events.drained()
      },
    })
  }

  /** What asks it to stop comes now. */
  endDrain(): void {
    this.#drain?.release()
    this.close()
  }

  /** Its processes go on with what they were told. */
  close(): void {
    this.#drain?.close()
    this.#drain = null
  }
}
