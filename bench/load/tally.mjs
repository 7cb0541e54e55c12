/** What came of all requests of a run: counted, failures by kind, and the few numbers beside them. */

/** How many failures are kept in words; the rest is counted only. */
const SAMPLES = 20

export function createTally() {
  const started = performance.now()
  let lastAnswer = started
  const tally = {
    requests: 0,
    answered: 0,
    failed: 0,
    connections: 0,
    failures: {},
    /** How many answers had which body: the apps of the bench answer with their version. */
    bodies: {},
    maxLatencyMs: 0,
    /** The longest time without any answer, while there were clients asking. */
    longestSilenceMs: 0,
    samples: [],

    answer(sentAt, body) {
      const now = performance.now()
      tally.requests += 1
      tally.answered += 1
      tally.bodies[body] = (tally.bodies[body] ?? 0) + 1
      if (now - sentAt > tally.maxLatencyMs) tally.maxLatencyMs = now - sentAt
      if (now - lastAnswer > tally.longestSilenceMs) tally.longestSilenceMs = now - lastAnswer
      lastAnswer = now
    },
    fail(kind, detail = '') {
      tally.requests += 1
      tally.note(kind, detail)
    },
    /** A failure that is no request of HTTP: of a WebSocket. */
    note(kind, detail = '') {
      tally.failed += 1
      tally.failures[kind] = (tally.failures[kind] ?? 0) + 1
      if (tally.samples.length < SAMPLES) {
        tally.samples.push({ atMs: Math.round(performance.now() - started), kind, detail })
      }
    },
    report() {
      const { requests, answered, failed, connections, failures, bodies, maxLatencyMs, samples } = tally
      const longestSilenceMs = Math.max(tally.longestSilenceMs, requests ? performance.now() - lastAnswer : 0)
      const seconds = (performance.now() - started) / 1000
      const counts = { requests, answered, failed, connections, failures, bodies }
      return { ...counts, maxLatencyMs, longestSilenceMs, seconds, perSecond: requests / seconds, samples }
    },
  }
  return tally
}
