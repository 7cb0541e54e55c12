import type { AppGroup } from '../../supervisor/app-group.ts'
import type { AppSpec, DependencyCondition } from '../../model/spec.ts'

const LOOK_MS = 25
/** A dependency that is not on its way (stopped, or not there at all) is waited for this long. */
const ABSENT_MS = 2000

/**
 * Waits until every dependency is as far as the app asks. Level-triggered: it looks at what is, so a dependency may
 * restart meanwhile.
 *
 * @returns null, or what blocks: `redis is not ready: redis#0 failed: 16 restarts within 60s of running`
 */
export async function awaitDependencies(
  spec: AppSpec,
  group: (app: string) => AppGroup | undefined,
  progress: (message: string) => void,
): Promise<string | null> {
  for (const [app, condition] of Object.entries(spec.dependsOn)) {
    const started = Date.now()
    for (let told = false; ;) {
      const state = dependencyState(group(app), condition)
      if (state === 'met') break
      const waited = Date.now() - started
      if (
        state.verdict === 'never' ||
        (state.verdict === 'absent' && waited >= ABSENT_MS) ||
        waited >= state.patienceMs
      ) {
        return `it depends on ${app} being ${condition}: ${state.why}`
      }
      if (!told) progress(`waiting for ${app} to be ${condition}`)
      told = true
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
  return null
}

type DependencyState =
  | 'met'
  | { readonly verdict: 'wait' | 'absent' | 'never'; readonly why: string; readonly patienceMs: number }

function dependencyState(group: AppGroup | undefined, condition: DependencyCondition): DependencyState {
  const runners = group?.runners ?? []
  const first = runners[0]
  if (!first) return { verdict: 'absent', why: 'it is not running', patienceMs: ABSENT_MS }
  const patienceMs = condition === 'completed' ? Number.POSITIVE_INFINITY : first.spec.ready.timeoutMs
  const open = runners.find((runner) => !isMet(runner.instance.phase.name, runner.instance.lastExit, condition))
  if (!open) return 'met'
  const { state, reason } = open.observe()
  const why = `${open.name} is ${state}${reason ? ` (${reason})` : ''}`
  if (state === 'failed' || (condition === 'completed' && state === 'exited'))
    return { verdict: 'never', why, patienceMs }
  return { verdict: state === 'stopped' || state === 'exited' ? 'absent' : 'wait', why, patienceMs }
}

type PhaseName = AppGroup['runners'][number]['instance']['phase']['name']
type LastExit = AppGroup['runners'][number]['instance']['lastExit']

function isMet(phase: PhaseName, lastExit: LastExit, condition: DependencyCondition): boolean {
  switch (condition) {
    case 'started':
      return phase === 'starting' || phase === 'running'
    case 'ready':
      return phase === 'running'
    case 'completed':
      return phase === 'exited' && lastExit?.kind === 'code' && lastExit.code === 0
  }
}
