import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Cgroup, CgroupTree, findCgroups, homeDigest } from '../../src/supervisor/cgroup.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'

const { tree: TREE, reason } = findCgroups('/nowhere/eco-cgroup-test')

/** A tree of its own for one test. */
function makeTree(): { home: string; tree: CgroupTree } {
  const home = mkdtempSync(join(tmpdir(), 'eco-cgroup-'))
  const { tree } = findCgroups(home)
  if (!tree) throw new Error('no tree')
  onTestFinished(() => {
    rmSync(home, { recursive: true })
    for (const cgroup of tree.list()) cgroup.kill()
    return eventually(() => {
      for (const cgroup of tree.list()) cgroup.remove()
      tree.close()
      expect(existsSync(tree.path)).toBe(false)
    })
  })
  return { home, tree }
}

function start(command: string, cgroup: Cgroup): number {
  const child = spawn('sh', ['-c', command], { detached: true, stdio: 'ignore' })
  const { pid } = child
  if (pid === undefined) throw new Error('sh did not start')
  onTestFinished(() => kill(-pid))
  cgroup.add(pid)
  return pid
}

describe('without a writable cgroup v2', () => {
  it('there is a reason', () => {
    if (TREE === null) expect(reason).toMatch(/cgroup/)
    else expect(reason).toBeNull()
  })
})

describe.skipIf(TREE === null)('a tree of cgroups', () => {
  it('is named by the ECO_HOME, so that the next daemon finds it', () => {
    const { home, tree } = makeTree()
    const name = tree.create('shop:production:api:0:1:1').path
    const again = findCgroups(home).tree
    expect(again?.path).toBe(tree.path)
    expect(tree.path).toMatch(new RegExp(`/eco-${homeDigest(home)}$`))
    expect(again?.list().map(({ path }) => path)).toEqual([name])
    expect(findCgroups(`${home}-other`).tree?.list()).toEqual([])
  })

  it('leaves nothing behind', () => {
    const { tree } = makeTree()
    const cgroup = tree.create('a')
    expect(cgroup.remove()).toBe(true)
    tree.close()
    expect(existsSync(tree.path)).toBe(false)
    tree.create('b') // comes back when it is needed
    expect(tree.list().map(({ name }) => name)).toEqual(['b'])
  })

  it('makes no name that the file system could take for something else', () => {
    const { tree } = makeTree()
    expect(tree.create('../../x y').path).toBe(`${tree.path}/.._.._x_y`)
  })

  it('kills a process tree as a whole, sessions and orphans of its own included', async () => {
    const { tree } = makeTree()
    const cgroup = tree.create('a')
    start('sleep 0.05; (setsid sh -c "sleep 300 & sleep 300" &) ; sleep 300', cgroup)
    await eventually(() => expect(cgroup.members().length).toBeGreaterThanOrEqual(4))
    const members = cgroup.members()
    expect(cgroup.isPopulated()).toBe(true)
    expect(cgroup.remove()).toBe(false)
    cgroup.kill()
    await eventually(() => expect(members.filter(isRunning)).toEqual([]))
    await eventually(() => expect(cgroup.isPopulated()).toBe(false))
    expect(cgroup.members()).toEqual([])
    expect(cgroup.remove()).toBe(true)
    expect(cgroup.remove()).toBe(true)
  })

  it('counts the cgroups below it, which a nested supervisor makes', async () => {
    const { tree } = makeTree()
    const outer = tree.create('outer')
    const inner = new CgroupTree(outer.path, '0123456789ab').create('inner')
    const pid = start('sleep 300', inner)
    expect(outer.members()).toEqual([pid])
    expect(outer.isPopulated()).toBe(true)
    outer.kill()
    await eventually(() => expect(outer.isPopulated()).toBe(false))
    expect(outer.remove()).toBe(true)
  })

  it('thaws what somebody froze, so that signals arrive', async () => {
    const { tree } = makeTree()
    const cgroup = tree.create('a')
    const pid = start('sleep 300', cgroup)
    cgroup.write('cgroup.freeze', '1')
    await eventually(() => expect(cgroup.read('cgroup.events')).toContain('frozen 1'))
    cgroup.signal('SIGTERM')
    cgroup.thaw()
    await eventually(() => expect(isRunning(pid)).toBe(false))
  })

  it('refuses a name in which processes live', () => {
    const { tree } = makeTree()
    const cgroup = tree.create('a')
    start('sleep 300', cgroup)
    expect(() => tree.create('a')).toThrow('is in use')
  })

  it('says that a file is not there, and that a pid is', () => {
    const { tree } = makeTree()
    const cgroup = tree.create('a')
    expect(cgroup.read('memory.nothing')).toBeNull()
    expect(() => cgroup.write('memory.nothing', '1')).toThrow(/E[A-Z]+/)
    const pid = start('sleep 300', cgroup)
    // The shell may be about to become the program, or have it as its child.
    expect(cgroup.read('cgroup.procs')?.split('\n')).toContain(String(pid))
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain('/a\n')
  })
})
