/** On a real file system; e2e/watch.test.ts holds the rest. */

import { mkdirSync, mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Burst, TreeWatch, type TreeWatchOptions } from '../../src/supervisor/tree-watch.ts'
import { eventually } from '../support/eventually.ts'

interface Watched {
  readonly root: string
  readonly tree: TreeWatch
  readonly bursts: Burst[]
  readonly problems: string[]
}

async function watching(prepare: (root: string) => void, options: Partial<TreeWatchOptions> = {}): Promise<Watched> {
  const root = mkdtempSync(join(tmpdir(), 'eco-watch-'))
  prepare(root)
  const bursts: Burst[] = []
  const problems: string[] = []
  const tree = new TreeWatch({
    roots: [root],
    isIgnored: (path) => path.includes('node_modules'),
    debounceMs: 50,
    changed: (burst) => bursts.push(burst),
    problem: (message) => problems.push(message),
    ...options,
  })
  onTestFinished(() => {
    tree.close()
    rmSync(root, { recursive: true, force: true })
  })
  await tree.start()
  return { root, tree, bursts, problems }
}

test('folders that are ignored are not walked: 10,000 files in node_modules cost nothing', async () => {
  const { tree } = await watching((root) => {
    mkdirSync(join(root, 'src'))
    for (let folder = 0; folder < 100; folder++) {
      mkdirSync(join(root, `node_modules/${folder}`), { recursive: true })
      for (let file = 0; file < 100; file++) writeFileSync(join(root, `node_modules/${folder}/${file}`), '')
    }
  })
  expect(tree.size).toBe(2)
})

test('when the limit of watches is reached it is told once, and what is watched goes on', async () => {
  let left = 3
  const { root, bursts, problems } = await watching(
    (folder) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) mkdirSync(join(folder, name))
    },
    {
      watchFolder: (path, listener) => {
        if (left-- <= 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        return watch(path, (_, name) => listener(name))
      },
    },
  )
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(/changes below .+ go unnoticed: .*raise fs\.inotify\.max_user_watches/)
  writeFileSync(join(root, 'a/file'), '')
  await eventually(() => expect(bursts.map(({ paths }) => paths)).toEqual([[join(root, 'a/file')]]))
})

test('changes without a pause are reported all the same, now and then', async () => {
  const { root, bursts } = await watching((folder) => writeFileSync(join(folder, 'f'), ''))
  const timer = setInterval(() => writeFileSync(join(root, 'f'), String(Math.random())), 10)
  onTestFinished(() => clearInterval(timer))
  await eventually(() => expect(bursts.length).toBeGreaterThanOrEqual(2))
})

test('a root that is missing is watched once it is there, however deep', async () => {
  const { root, bursts } = await watching(() => {}, {})
  const deep = join(root, 'x/y/z')
  const more: Burst[] = []
  const tree = new TreeWatch({
    roots: [deep],
    isIgnored: () => false,
    debounceMs: 50,
    changed: (burst) => more.push(burst),
    problem: () => {},
  })
  onTestFinished(() => tree.close())
  await tree.start()
  mkdirSync(join(root, 'x'))
  await eventually(() => expect(tree.size).toBe(2))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'file'), '')
  await eventually(() => expect(more.flatMap(({ paths }) => paths)).toContain(join(deep, 'file')))
  writeFileSync(join(deep, 'other'), '')
  await eventually(() => expect(more.flatMap(({ paths }) => paths)).toContain(join(deep, 'other')))
  expect(bursts.length).toBeGreaterThan(0)
})
