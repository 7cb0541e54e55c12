import { EcoError } from '../errors.ts'

/**
 * Asks on the terminal; without one there is nobody to ask.
 *
 * @throws EcoError NOT_CONFIRMED unless the answer is yes
 */
export async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new EcoError('NOT_CONFIRMED', 'This is not a terminal, so nobody can be asked. Nothing was changed.', {
      hint: 'add --yes',
    })
  }
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question(`${question} [y/N] `)
    if (/^y(es)?$/i.test(answer.trim())) return
  } catch {
    // Ctrl-C or Ctrl-D at the question
  } finally {
    terminal.close()
  }
  throw new EcoError('NOT_CONFIRMED', 'Not applied. Nothing was changed.')
}
