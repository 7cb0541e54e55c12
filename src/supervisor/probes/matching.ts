import vm from 'node:vm'
import type { Pattern } from '../../model/spec.ts'

/** A pattern that takes longer on what it is given would hold up the daemon, and everything in it. Milliseconds. */
const MATCH_MS = 100

let script: vm.Script | undefined
let context: vm.Context | undefined

/**
 * Whether one of the texts matches. A pattern such as `(a+)+$` can take years on a line of forty characters; only the
 * vm module can interrupt it.
 *
 * @returns `too-slow` when it was interrupted
 */
export function matches(pattern: Pattern, texts: readonly string[]): boolean | 'too-slow' {
  if (texts.length === 0) return false
  script ??= new vm.Script('texts.some((text) => RegExp(pattern, flags).test(text))')
  context ??= vm.createContext({})
  Object.assign(context, { pattern: pattern.pattern, flags: pattern.flags.replace(/[gy]/g, ''), texts })
  try {
    return script.runInContext(context, { timeout: MATCH_MS }) === true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too-slow'
    throw error
  } finally {
    Object.assign(context, { texts: [] })
  }
}
