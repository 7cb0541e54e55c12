import { callOrStart } from '../../daemon/ensure.ts'
import type { ResetInstance, Selection } from '../../daemon/protocol.ts'
import { ecoHome } from '../../state/paths.ts'

/** `eco reset`: what the supervisor remembers against instances is forgotten. */
export async function reset(selection: Selection, json: boolean): Promise<void> {
  const { instances } = await callOrStart('reset', selection, { home: ecoHome() })
  if (json) return void process.stdout.write(`${JSON.stringify({ format_version: '1.0', instances })}\n`)
  for (const instance of instances) process.stdout.write(`${sentence(instance)}\n`)
}

function sentence({ id, state, restarts, reason, started }: ResetInstance): string {
  const count = restarts === 1 ? '1 restart' : `${restarts} restarts`
  if (!started) return `${id}  ${count} forgotten`
  return `${id}  was ${state}${reason === null ? '' : ` (${reason})`}, ${count} forgotten; starting again`
}
