/** Groups of real processes, in a cgroup and without one. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { Group, type Nest } from '../../src/supervisor/group.ts'
import { identify } from '../../src/supervisor/proc.ts'
import { ProcessTrees } from '../../src/supervisor/process-trees.ts'
import { newRunName, RUN_VARIABLE } from '../../src/supervisor/run-name.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'

const HOME = mkdtempSync(join(tmpdir(), 'eco-group-'))
const TREES = new ProcessTrees(HOME)
const RUN = { scope: { project: 'shop', environment: 'test' }, app: 'api', slot: 0, version: 1 }

afterAll(() => {
  TREES.close()
  rmSync(HOME, { recursive: true })
})

/** A run without a cgroup. */
function bare(): Nest {
  return { run: newRunName(RUN), cgroup: null, isEnclosed: false }
}

interface Started {
  readonly pid: number
  readonly group: Group
  /** Every live process that carries the run. */
  readonly alive: () => number[]
  /** The words that its processes have written so far. */
  readonly notes: () => string[]
}

/** A leader that runs a script for sh, `$NOTES` being a file it may write to. */
function start(script: string, inCgroup: boolean): Started {
  const nest = inCgroup ? TREES.begin(RUN) : bare()
  const environment = TREES.environment(nest)
  const notes = join(HOME, nest.run)
  const env = { PATH: process.env['PATH'], NOTES: notes, ...environment }
  const child = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore', env })
  const { pid } = child
  if (pid === undefined) throw new Error('sh did not start')
  const group = TREES.ofChild(pid, nest)
  child.once('exit', () => group.leaderEnded())
  const alive = (): number[] => processesWith(`${RUN_VARIABLE}=${environment[RUN_VARIABLE]}`)
  onTestFinished(() => {
    group.close()
    for (const left of alive()) kill(left)
  })
  return { pid, group, alive, notes: () => readWords(notes) }
}

function readWords(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(/\s+/).filter(Boolean)
  } catch {
    return []
  }
}

function whenEmpty(group: Group): Promise<void> {
  return new Promise((resolve) => group.whenEmpty(resolve))
}

const ORPHAN = 'sh -c \'setsid sh -c "exec sleep 1000" &\''

const KINDS: [string, boolean][] = [['without a cgroup', false]]
if (TREES.cgroups !== null) KINDS.push(['in a cgroup', true])

describe.each(KINDS)('a group %s', (_, inCgroup) => {
  it('sends a signal to every process once, wherever it went', async () => {
    const script = `
      noter='trap "echo got >> $NOTES" TERM; echo up >> $NOTES; while :; do sleep 0.02; done'
      sh -c "$noter" & setsid sh -c "$noter" & sh -c 'setsid sh -c "$1" &' sh "$noter"
      eval "$noter"`
    const { group, notes, alive } = start(script, inCgroup)
    await eventually(() => expect(notes().filter((it) => it === 'up')).toHaveLength(4))
    await group.enclosing
    group.signal('SIGTERM')
    // An orphan that was born before its parent was in the cgroup is found only when all others have ended.
    const reached = group.isEnclosed ? 4 : 3
    await eventually(() => expect(notes().filter((it) => it === 'got')).toHaveLength(reached))
    group.signal('SIGKILL')
    await whenEmpty(group)
    expect(alive()).toEqual([])
    expect(notes().filter((it) => it === 'got')).toHaveLength(reached)
  })

  it('is empty only when its orphans have ended, which get the signal too', async () => {
    const { group, alive } = start(`${ORPHAN}; exec sleep 1000`, inCgroup)
    await eventually(() => expect(alive().length).toBe(2))
    group.signal('SIGTERM')
    await whenEmpty(group)
    expect(alive()).toEqual([])
  })

  it('knows what its leader left behind, and takes it along', async () => {
    const { pid, group, alive } = start(`${ORPHAN}; sleep 0.2`, inCgroup)
    await eventually(() => expect(alive()).not.toContain(pid))
    await eventually(() => expect(group.others()).toEqual(alive()))
    expect(alive()).toHaveLength(1)
    group.signal('SIGTERM')
    await whenEmpty(group)
    expect(alive()).toEqual([])
  })

  it('waits for workers that outlive their master', async () => {
    const { pid, group } = start(
      `sh -c 'trap "sleep 0.3; exit" TERM; while :; do sleep 0.02; done' & sleep 1000`,
      inCgroup,
    )
    await eventually(() => expect(group.others().length).toBeGreaterThanOrEqual(2))
    await new Promise((resolve) => setTimeout(resolve, 100)) // the trap is set
    const asked = Date.now()
    group.signal('SIGTERM')
    const empty = whenEmpty(group).then(() => Date.now() - asked)
    await eventually(() => expect(isRunning(pid)).toBe(false))
    expect(await empty).toBeGreaterThanOrEqual(300)
  })

  it('continues what is stopped, so that it can end', async () => {
    const { pid, group, alive } = start('setsid sleep 1000 & exec sleep 1000', inCgroup)
    await eventually(() => expect(alive()).toHaveLength(2))
    for (const member of alive()) kill(member, 'SIGSTOP')
    await eventually(() => expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') T '))
    group.signal('SIGTERM')
    await whenEmpty(group)
    expect(alive()).toEqual([])
  })

  it('kills what goes on forking', async () => {
    // Fifty at a time; each starts its successor in a session of its own, without a parent, and ends. All of it is over
    // by itself after some seconds.
    const chain = 'trap "" TERM; [ $N -gt 100 ] && exit; N=$((N+1)); sleep 0.1; (setsid sh -c "$CHAIN" &)'
    const script = `trap "" TERM; export CHAIN='${chain}'
      for N in ${'1 '.repeat(50)}; do export N; sh -c "$CHAIN" & done; sleep 1000`
    const { group, alive } = start(script, inCgroup)
    await eventually(() => expect(alive().length).toBeGreaterThan(25))
    const asked = Date.now()
    group.signal('SIGTERM')
    group.signal('SIGKILL')
    await whenEmpty(group)
    expect(alive()).toEqual([])
    expect(Date.now() - asked).toBeLessThan(8000)
  })

  it('does not count zombies', async () => {
    // A child of ours that nobody reaps: sleep takes over its parent.
    const { pid, group } = start('sleep 0.01 & exec sleep 1000', inCgroup)
    await eventually(() => {
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
      expect(readFileSync(`/proc/${child}/stat`, 'utf8')).toContain(') Z ')
    })
    expect(group.others()).toEqual([])
    group.signal('SIGKILL')
    await whenEmpty(group)
  })

  it('leaves no cgroup behind', async () => {
    const { group } = start('exec sleep 1000', inCgroup)
    group.signal('SIGTERM')
    await whenEmpty(group)
    await eventually(() => expect(TREES.cgroups?.list() ?? []).toEqual([]))
  })
})

describe('a pid that was given to a stranger', () => {
  function stranger(script: string): number {
    const { pid } = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore' })
    if (pid === undefined) throw new Error('sh did not start')
    onTestFinished(() => kill(-pid))
    return pid
  }

  it('is never signalled', async () => {
    const pid = stranger('exec sleep 1000')
    const identity = identify(pid)
    if (!identity) return
    const earlier = { ...identity, startTime: identity.startTime - 1 }
    const group = TREES.ofAdopted(earlier, bare())
    let ended = false
    group.watchAdopted(() => {
      ended = true
      group.leaderEnded()
    })
    expect(ended).toBe(true)
    group.signal('SIGTERM')
    group.signal('SIGKILL')
    await whenEmpty(group)
    expect(isRunning(pid)).toBe(true)
  })

  it('is not signalled between two looks at its end', () => {
    const pid = stranger('exec sleep 1000')
    const identity = identify(pid)
    if (!identity) return
    const nest = bare()
    const group = new Group({ ...identity }, nest, TREES.sweep)
    onTestFinished(() => group.close())
    group.watchAdopted(() => {})
    const reused = new Group({ ...identity, startTime: identity.startTime + 1 }, nest, TREES.sweep)
    reused.watchAdopted(() => {})
    reused.signal('SIGKILL')
    expect(isRunning(pid)).toBe(true)
  })

  it('and whose session outlived him is left alone too', async () => {
    const pid = stranger('sleep 1000 & sleep 0.1')
    await eventually(() => expect(isRunning(pid)).toBe(false))
    const group = TREES.ofAdopted({ pid, startTime: 1, bootId: identify(process.pid)?.bootId ?? '' }, bare())
    group.watchAdopted(() => group.leaderEnded())
    group.signal('SIGKILL')
    await whenEmpty(group)
    expect(process.kill(-pid, 0)).toBe(true)
  })

  it('does not hide the rest of a run that carries its name', async () => {
    const nest = bare()
    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], ...TREES.environment(nest) }
    const { pid = 0 } = spawn('sh', ['-c', 'sleep 1000 & sleep 0.1'], { detached: true, stdio: 'ignore', env })
    onTestFinished(() => kill(-pid))
    await eventually(() => expect(isRunning(pid)).toBe(false))
    const identity = { pid, startTime: 1, bootId: identify(process.pid)?.bootId ?? '' }
    const group = TREES.ofAdopted(identity, nest)
    expect(group.isLeft(TREES.sweep.pass())).toBe(true)
    group.watchAdopted(() => group.leaderEnded())
    group.signal('SIGTERM')
    await whenEmpty(group)
    expect(processesWith(`${RUN_VARIABLE}=${env[RUN_VARIABLE]}`).filter(isRunning)).toEqual([])
  })
})
