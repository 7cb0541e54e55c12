/** `eco run` as process 1, as in a container: in a pid namespace of its own. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { type Foreground, leftOf, runInForeground } from '../support/foreground.ts'
import { createRig, type Rig } from '../support/rig.ts'

const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']
const canBeInit = isPossible()
if (!canBeInit) process.stderr.write('SKIPPED: no pid namespaces here, so nothing was tried as process 1\n')
const canExec = 'execve' in process
if (!canExec) process.stderr.write(`SKIPPED: Node ${process.version} cannot become an init: orphans stay unreaped\n`)

function runAsInit(rig: Rig, args: readonly string[] = []): Foreground {
  return runInForeground(rig, args, { command: [...UNSHARE, process.execPath, ECO] })
}

function isPossible(): boolean {
  try {
    execFileSync(UNSHARE[0] ?? '', [...UNSHARE.slice(1), 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** pids and states of the children of a process. */
function childrenOf(parent: number): { pid: number; state: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state = '', ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return Number(ppid) === parent ? [{ pid: Number(name), state }] : []
      } catch {
        return []
      }
    })
}

/** Process 1 of the namespace, by the pid that we know it under. */
function initOf(run: Foreground): number {
  const [init] = childrenOf(run.pid)
  if (!init) throw new Error('unshare has no child')
  return init.pid
}

const sleeper = { command: ['sleep', '1000'] }

test.skipIf(!canBeInit)('ends in order at a signal, and is found by eco without being told where it is', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { ...sleeper, depends_on: { db: 'ready' } }, db: sleeper } })
  const run = runAsInit(rig)
  await run.until('api#0 ready')
  expect(run.stderr()).toContain('"eco ls" looks at it')
  expect((await rig.ls()).map(({ app, ready }) => [app, ready])).toEqual([
    ['api', 1],
    ['db', 1],
  ])
  process.kill(initOf(run), 'SIGTERM')
  expect(await run.ended()).toBe(0)
  expect(run.stderr().indexOf('api#0 stopped')).toBeLessThan(run.stderr().indexOf('db#0 stopped'))
  expect(existsSync(rig.home) ? readdirSync(rig.home) : []).toEqual(['cache'])
  expect(leftOf(rig)).toEqual({ folders: [], processes: [] })
})

test.skipIf(!canBeInit || !canExec)('reaps the orphans of its apps', async () => {
  const rig = await createRig()
  const orphans =
    'for i in 1 2 3 4 5 6 7 8 9 10; do sh -c "setsid sleep 0.3 &"; done; sleep 0.5; echo over; exec sleep 1000'
  rig.write('ecosystem.yaml', { apps: { api: { command: ['sh', '-c', orphans] } } })
  const run = runAsInit(rig)
  await run.until('over')
  const init = initOf(run)
  // The orphans have ended; what is left of process 1's children is eco itself.
  await eventually(() => expect(childrenOf(init).map(({ state }) => state === 'Z')).toEqual([false]))
  process.kill(init, 'SIGINT')
  expect(await run.ended()).toBe(0)
})

test.skipIf(!canBeInit || canExec)('says what to do where it cannot reap them', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { job: { kind: 'job', command: ['true'] } } })
  const run = runAsInit(rig)
  expect(await run.ended()).toBe(0)
  expect(run.stderr()).toMatch(/cannot reap orphans[^]*docker run --init/)
})

test.skipIf(!canBeInit)('passes its exit code on', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { job: { kind: 'job', command: ['sh', '-c', 'exit 3'] } } })
  expect(await runAsInit(rig).ended()).toBe(7)
})

test.skipIf(!canBeInit)('begins afresh after its container was killed', async () => {
  const rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper, other: sleeper } })
  const killed = runAsInit(rig)
  await killed.until('other#0 ready')
  process.kill(initOf(killed), 'SIGKILL')
  await killed.ended()
  expect(existsSync(join(rig.home, 'scopes'))).toBe(true)
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  const run = runAsInit(rig)
  await run.until('api#0 ready')
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['api'])
  process.kill(initOf(run), 'SIGTERM')
  expect(await run.ended()).toBe(0)
  expect(run.stderr()).not.toContain('other#0')
})

test.skipIf(!canBeInit)('leaves alone what a daemon keeps in the usual place', async () => {
  const rig = await createRig()
  await rig.apply({ apps: { kept: sleeper } })
  await rig.eco(['daemon', 'stop'])
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  const run = runAsInit(rig)
  await run.until('api#0 ready')
  process.kill(initOf(run), 'SIGTERM')
  expect(await run.ended()).toBe(0)
  expect((await rig.ls()).map(({ app, ready }) => [app, ready])).toEqual([['kept', 1]])
})
