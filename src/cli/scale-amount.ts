import { countInstances } from '../config/cpus.ts'
import { readCpus } from '../config/read-cpus.ts'
import { EcoError } from '../errors.ts'

/** What the file accepts as `instances`, and no more. */
const MOST = 10_000

/** How many instances `eco scale` asks for: so many, or so many more or less than are wanted. */
export type ScaleAmount = { readonly instances: number } | { readonly instances: null; readonly delta: number }

/**
 * `4`, `+2`, `-1`, or as in the file a share of the CPUs: `50%`, `max`.
 *
 * @throws EcoError USAGE
 */
export function parseScaleAmount(text: string): ScaleAmount {
  const [, sign, digits, share] = /^(?:([+-]?)(\d{1,5})|(\d{1,3}%|max))$/.exec(text) ?? []
  if (share !== undefined) return { instances: countInstances(share, readCpus) }
  const number = Number(digits)
  if (digits === undefined || number > MOST) throw notAnAmount(text)
  return sign ? { instances: null, delta: sign === '-' ? -number : number } : { instances: number }
}

function notAnAmount(text: string): EcoError {
  return new EcoError('USAGE', `eco scale cannot run ${JSON.stringify(text)} instances.`, {
    hint: `a whole number up to ${MOST}, +2 or -1 for more or less than now, 50% of the CPUs, or max for one each`,
  })
}
