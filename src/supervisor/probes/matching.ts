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
  const flags = pattern.flags.replace(/[gy]/g, '')
  // Without repetition there is nothing that could run away, and no need for a second world of objects.
  if (!/[*+?{]/.test(pattern.pattern.replace(/\\./gs, ''))) {
    const expression = new RegExp(pattern.pattern, flags)
    return texts.some((text) => expression.test(text))
  }
  script ??= new vm.Script('texts.some((text) => RegExp(pattern, flags).test(text))')
  context ??= vm.createContext({})
  Object.assign(context, { pattern: pattern.pattern, flags, texts })
  try {
    return script.runInContext(context, { timeout: MATCH_MS }) === true
  } catch {
    return 'too-slow' // its time was over, or it went too deep
  } finally {
    Object.assign(context, { texts: [] })
  }
}
