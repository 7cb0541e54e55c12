import { EcoError, EXIT, type ExitCode } from '../errors.ts'

/** The one place that prints failures. stderr tells the story; the exit code says what was done (DESIGN §5). */
export function reportError(error: unknown, json: boolean): ExitCode {
  if (error instanceof EcoError) {
    const { code, message, hint, details, exitCode } = error
    if (json)
      process.stdout.write(`${JSON.stringify({ error: { code, message, hint, details }, exit_code: exitCode })}\n`)
    const lines = [message, ...details.map((line) => `    ${line}`), ...(hint === null ? [] : [`  hint: ${hint}`])]
    process.stderr.write(`${lines.join('\n')}\n`)
    return exitCode
  }
  const { stack, message } = error instanceof Error ? error : new Error(String(error))
  process.stderr.write(`eco failed unexpectedly: ${message}\n${stack ?? ''}\nThis is a bug in eco; please report it.\n`)
  return EXIT.internal
}
