import type { Exit } from '../model/observed.ts'
import type { AppSpec } from '../model/spec.ts'
import type { Group } from './group.ts'
import type { Instance } from './instance-state.ts'
import { commandOf } from './proc.ts'

/**
 * Adds to an exit what the process left running. A service that ends by itself and well, and leaves processes behind,
 * meant to go into the background: that is what its reason must say.
 */
export function leftBehind(exit: Exit, { phase, wanted }: Instance, { kind }: AppSpec, group: Group | null): Exit {
  const isAsked = wanted === 'down' || (phase.name !== 'starting' && phase.name !== 'running')
  if (exit.kind !== 'code' || exit.code !== 0 || isAsked || kind !== 'service') return exit
  const [pid] = group?.others() ?? []
  return pid === undefined ? exit : { ...exit, left: `${commandOf(pid) ?? 'a process'} (pid ${pid})` }
}
