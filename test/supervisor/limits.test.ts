/** What is written to which file of a cgroup. Folders stand in for cgroupfs: no cgroup here has controllers to give. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cgroup, CgroupTree } from '../../src/supervisor/cgroup.ts'
import { limitByCgroup, limitNotes, NOT_ENFORCED, oomKills } from '../../src/supervisor/limits.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'eco-cgroup-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

function treeWith(controllers: string): { tree: CgroupTree; cgroup: Cgroup; file: (name: string) => string | null } {
  writeFileSync(join(base, 'cgroup.controllers'), controllers)
  const tree = new CgroupTree(base, '0123456789ab')
  const cgroup = new Cgroup(join(tree.path, 'run'))
  mkdirSync(cgroup.path, { recursive: true })
  return { tree, cgroup, file: (name) => cgroup.read(name) }
}

test('both limits become files of the cgroup, and the controllers are switched on above it', () => {
  const { tree, cgroup, file } = treeWith('cpu memory pids')
  expect(limitByCgroup(cgroup, tree, { memoryBytes: 100 * 2 ** 20, cpu: 1.5 })).toEqual({ memory: true, cpu: true })
  expect(file('memory.max')).toBe('104857600')
  expect(file('memory.oom.group')).toBe('1')
  expect(file('memory.swap.max')).toBe('0')
  expect(file('cpu.max')).toBe('150000 100000')
  expect(readFileSync(join(tree.path, 'cgroup.subtree_control'), 'utf8')).toMatch(/^\+(cpu|memory)$/)
})

test('a limit that is taken away becomes max; one that never was there leaves no trace', () => {
  const { tree, cgroup, file } = treeWith('cpu memory')
  limitByCgroup(cgroup, tree, { memoryBytes: 2 ** 20, cpu: null })
  expect(file('cpu.max')).toBeNull()
  expect(limitByCgroup(cgroup, tree, { memoryBytes: null, cpu: 0.001 })).toEqual({ memory: false, cpu: true })
  expect(file('memory.max')).toBe('max')
  expect(file('cpu.max')).toBe('1000 100000') // the least the kernel takes
})

test('without the controllers nothing is enforced, and what cannot be had is said', () => {
  const { tree, cgroup, file } = treeWith('pids')
  const limits = { memoryBytes: 2 ** 20, cpu: 2 }
  const enforced = limitByCgroup(cgroup, tree, limits)
  expect(enforced).toEqual(NOT_ENFORCED)
  expect(file('memory.max')).toBeNull()
  expect(limitNotes(limits, enforced, true)).toEqual([
    'limits.cpu is not enforced: the daemon has no cgroup v2 with the cpu controller; "eco startup" has it given one, with systemd 254 or newer',
  ])
  expect(limitNotes(limits, enforced, false)).toHaveLength(2)
  expect(limitNotes(limits, { memory: true, cpu: true }, false)).toEqual([])
})

test('kills for want of memory are counted by the cgroup', () => {
  const { cgroup } = treeWith('memory')
  expect(oomKills(cgroup)).toBeNull()
  cgroup.write('memory.events', 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n')
  expect(oomKills(cgroup)).toBe(3)
})
