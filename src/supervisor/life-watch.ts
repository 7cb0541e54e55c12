import type { AppSpec, Probe } from '../model/spec.ts'
import { attempt, type AttemptResult, type ProbeSubject } from './probes/attempt.ts'
import { reserveStart } from './probes/pacing.ts'

export interface LifeSubject extends ProbeSubject {
  /** Whether it counts as ready when the watch begins: no after its start, as it was after a change or an adoption. */
  readonly isReady: boolean
}

export interface LifeEvents {
  /** A sentence: it is not ready any more, or why it is not ready has changed. null: it is ready (again). */
  readiness(reason: string | null): void
  /** Liveness has failed. The watch of it is over. */
  fault(reason: string): void
  /** What the latest attempts say that has no consequence yet: "health: … answered 503 (1 of 3)". */
  note(reason: string | null): void
}

/**
 * Watches an instance that has started, with the meaning of Kubernetes' readiness and liveness probes: `failures` in a
 * row and it counts as failed, `successes` in a row and it counts as passed; one attempt at a time; the first after
 * `delayMs`, the next each `intervalMs` after the start of the one before. As there, it is not ready before its readiness
 * probe has passed, and an attempt that could not be made counts as neither.
 *
 * @returns a function that ends the watch; nothing is reported after it was called
 */
export function watchLife(
  { readiness, health }: Pick<AppSpec, 'readiness' | 'health'>,
  subject: LifeSubject,
  events: LifeEvents,
): () => void {
  const notes = { health: '', readiness: '' }
  const note = (probe: keyof typeof notes, text: string): void => {
    if (notes[probe] === text) return
    notes[probe] = text
    events.note([notes.health, notes.readiness].filter(Boolean).join('; ') || null)
  }
  const ends = [
    readiness && watchReadiness(readiness, subject, { ...events, note: (text) => note('readiness', text ?? '') }),
    health && watchHealth(health, subject, { ...events, note: (text) => note('health', text ?? '') }),
  ]
  // Its probe was taken away while it was not ready.
  if (!readiness && !subject.isReady) events.readiness(null)
  return () => {
    for (const end of ends) end?.()
  }
}

function watchHealth(probe: Probe, subject: LifeSubject, events: LifeEvents): () => void {
  let failures = 0
  const end = repeat(probe, subject, (result) => {
    if (result.type === 'inconclusive') return events.note(`health: ${result.reason}`)
    if (result.type === 'success') {
      failures = 0
      return events.note(null)
    }
    failures++
    const reason = `health: ${result.reason} (${failures} of ${probe.failures})`
    if (failures < probe.failures) return events.note(reason)
    end()
    events.fault(reason)
  })
  return end
}

function watchReadiness(probe: Probe, subject: LifeSubject, events: LifeEvents): () => void {
  let { isReady } = subject
  let inRow = 0
  let told = ''
  const tell = (reason: string): void => {
    if (reason === told) return
    told = reason
    events.readiness(reason)
  }
  const end = repeat(probe, subject, (result) => {
    if (result.type === 'inconclusive') return events.note(`readiness: ${result.reason}`)
    const passed = result.type === 'success'
    inRow = passed === isReady ? 0 : inRow + 1
    const needed = passed ? probe.successes : probe.failures
    if (!passed && !isReady) tell(`readiness: ${result.reason}`)
    if (passed === isReady) return events.note(null)
    if (inRow < needed) {
      return events.note(`readiness: ${passed ? 'passed' : result.reason} (${inRow} of ${needed})`)
    }
    isReady = passed
    inRow = 0
    events.note(null)
    if (!passed) return tell(`readiness: ${result.reason} (${needed} of ${needed})`)
    told = ''
    events.readiness(null)
  })
  return end
}

/** One attempt after the other, until the returned function is called. */
function repeat(probe: Probe, subject: ProbeSubject, report: (result: AttemptResult) => void): () => void {
  const ended = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => {
      const start = reserveStart()
      timer = setTimeout(() => void ask(start), start - performance.now())
    }, delayMs)
  }
  const ask = async (startedAt: number): Promise<void> => {
    let result: AttemptResult
    try {
      result = await attempt(probe.check, subject, probe.timeoutMs, ended.signal)
    } catch (error) {
      result = { type: 'inconclusive', reason: (error as Error).message }
    }
    if (ended.signal.aborted) return
    report(result)
    if (!ended.signal.aborted) schedule(Math.max(0, startedAt + probe.intervalMs - performance.now()))
  }
  schedule(probe.delayMs)
  return () => {
    ended.abort()
    clearTimeout(timer)
  }
}
