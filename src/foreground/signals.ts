/** What each signal asks for. */

export type SignalAct =
  /** End all apps in order. */
  | 'stop'
  /** Kill what is left of them. */
  | 'kill'
  /** It is for the apps. */
  | 'forward'
  | 'ignore'

const STOPS: ReadonlySet<NodeJS.Signals> = new Set<NodeJS.Signals>(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])
const FORWARDED: ReadonlySet<NodeJS.Signals> = new Set<NodeJS.Signals>(['SIGUSR1', 'SIGUSR2'])
/** Ctrl-C under npm, npx or an init comes twice: from the terminal, and from them. */
const SAME_MS = 500

/**
 * @param stoppingForMs since a signal asked for the end; null: none has
 */
export function actOf(signal: NodeJS.Signals, stoppingForMs: number | null): SignalAct {
  if (FORWARDED.has(signal)) return 'forward'
  if (!STOPS.has(signal)) return 'ignore'
  if (stoppingForMs === null) return 'stop'
  // An orchestrator repeats itself; a person at a terminal means it.
  const isImpatient = (signal === 'SIGINT' || signal === 'SIGQUIT') && stoppingForMs >= SAME_MS
  return isImpatient ? 'kill' : 'ignore'
}

/** Takes the signals of this process, to its end. */
export function takeSignals(received: (signal: NodeJS.Signals) => void): void {
  for (const signal of [...STOPS, ...FORWARDED]) process.on(signal, received)
}
