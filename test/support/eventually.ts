const POLL_MS = 25

/**
 * Waits until `check` passes, that is: neither throws nor returns false.
 *
 * @returns what the check returned
 * @throws Error with the last failure once the deadline is over
 */
export async function eventually<T>(check: () => T | Promise<T>, deadlineMs = 10_000): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    let failure: unknown
    try {
      const result = await check()
      if (result !== false) return result
      failure = new Error(`${check.toString()} stayed false`)
    } catch (error) {
      failure = error
    }
    if (Date.now() >= deadline) {
      const { message } = failure instanceof Error ? failure : new Error(String(failure))
      throw new Error(`not within ${deadlineMs} ms: ${message}`, { cause: failure })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
