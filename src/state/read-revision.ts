import { EcoError } from '../errors.ts'
import { scopeName } from '../model/ids.ts'
import { KEPT_REVISIONS, type Revision, type RevisionStore } from './revision-store.ts'

/**
 * A revision somebody asked for by its serial.
 *
 * @throws EcoError UNKNOWN_TARGET when there is none, STATE_DAMAGED when it cannot be used
 */
export function readRevision(store: RevisionStore, serial: number): Revision {
  const result = store.read(serial)
  if (result.type === 'value') return result.value
  if (result.type === 'missing') throw unknownRevision(store, serial)
  throw new EcoError(
    'STATE_DAMAGED',
    `Revision ${serial} of ${scopeName(store.scope)} is damaged: ${store.path(serial)}: ${result.reason}.`,
    { hint: 'restore the file from a backup; the other revisions are not affected: eco history' },
  )
}

function unknownRevision(store: RevisionStore, serial: number): EcoError {
  const serials = store.serials()
  const [first = 0, last = 0] = [serials[0], serials.at(-1)]
  const range = first === last ? `only ${first}` : `${first} to ${last}`
  const gone = serial < first ? `; the newest ${KEPT_REVISIONS} are kept` : ''
  return new EcoError(
    'UNKNOWN_TARGET',
    `${scopeName(store.scope)} has no revision ${serial}: it has ${range}${gone}.`,
    {
      hint: 'eco history lists them',
    },
  )
}
