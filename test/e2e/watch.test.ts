/** Watching files for development: once for each burst, never for its own doing. */

import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createRig, type Rig } from '../support/rig.ts'

/** Longer than a burst of 100 ms and the restart after it: what has not happened by then does not happen. */
const QUIET_MS = 900

const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS))

/** An app that notes each of its starts, and is watched. */
function watched(rig: Rig, watch: object | boolean, code = ''): Record<string, object> {
  const script = rig.write(
    'run.mjs',
    `import { appendFileSync, writeFileSync } from 'node:fs'
    appendFileSync('../starts', 'x')
    ${code}
    process.send('ready')
    setInterval(() => {}, 1000)`,
  )
  mkdirSync(join(rig.dir, 'src/deep'), { recursive: true })
  rig.write('src/a.js', '1')
  rig.write('src/deep/b.js', '1')
  return { api: { script, ready: 'signal', watch } }
}

function starts(rig: Rig): number {
  const path = join(rig.dir, '../starts')
  return existsSync(path) ? readFileSync(path, 'utf8').length : 0
}

async function events(rig: Rig): Promise<string[]> {
  const { stdout } = await rig.eco(['events', '--json'])
  const lines = stdout.split('\n').filter(Boolean)
  return lines.map((line) => (JSON.parse(line) as { message: string }).message)
}

/** Applies, and waits until the watch is armed. */
async function armed(rig: Rig, apps: object): Promise<void> {
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(async () => expect(await events(rig)).toContainEqual(expect.stringMatching(/^watching /)))
}

test('a burst of 100 writes is one restart, and its cause is told', async () => {
  await using rig = await createRig()
  await armed(rig, watched(rig, { paths: ['src'], debounce: '100ms' }))
  for (let i = 0; i < 100; i++) writeFileSync(join(rig.dir, `src/${i % 2 === 0 ? 'a' : 'new'}.js`), String(i))
  await eventually(() => expect(starts(rig)).toBe(2))
  await quiet()
  expect(starts(rig)).toBe(2)
  expect(await events(rig)).toContainEqual('restart: src/a.js and 1 more changed')
  expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('files and folders that are made, removed and renamed count, at any depth, and also in folders that are new', async () => {
  await using rig = await createRig()
  await armed(rig, watched(rig, { paths: ['src'], debounce: '100ms' }))
  const at = (path: string): string => join(rig.dir, path)
  const changes: (() => void)[] = [
    () => writeFileSync(at('src/deep/c.js'), ''),
    () => rmSync(at('src/deep/b.js')),
    () => renameSync(at('src/a.js'), at('src/z.js')),
    () => {
      // As editors write: a file of its own, renamed over the old one.
      writeFileSync(at('src/z.js.new'), '2')
      renameSync(at('src/z.js.new'), at('src/z.js'))
    },
    () => {
      mkdirSync(at('src/x/y'), { recursive: true })
      writeFileSync(at('src/x/y/d.js'), '')
    },
    () => appendFileSync(at('src/x/y/d.js'), 'more'),
    () => rmSync(at('src/x'), { recursive: true }),
    () => {
      mkdirSync(at('src/x'))
      writeFileSync(at('src/x/e.js'), '')
    },
    () => appendFileSync(at('src/x/e.js'), 'more'),
    () => rmSync(at('src'), { recursive: true }),
    () => {
      mkdirSync(at('src'))
      writeFileSync(at('src/a.js'), 'again')
    },
    () => appendFileSync(at('src/a.js'), 'more'),
  ]
  for (const [index, change] of changes.entries()) {
    change()
    await eventually(() => expect(starts(rig), `after change ${index}`).toBe(index + 2))
    await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 }))
  }
})

test('what is ignored, what editors leave for a moment, and its own logs are no change', async () => {
  await using rig = await createRig()
  const apps = watched(
    rig,
    { ignore: ['*.tmp', 'data/**'], debounce: '100ms' },
    "console.log('hello'); appendFileSync('own.log', 'x')",
  )
  await armed(rig, apps)
  for (const folder of ['node_modules/x', '.git', 'logs', 'data/deep', 'src/node_modules']) {
    mkdirSync(join(rig.dir, folder), { recursive: true })
    writeFileSync(join(rig.dir, folder, 'file.js'), '')
  }
  for (const name of ['x.tmp', 'src/x.tmp', 'server.log', 'src/.a.js.swp', 'src/a.js~', 'src/4913', 'src/.#a.js'])
    writeFileSync(join(rig.dir, name), '')
  writeFileSync(join(rig.dir, 'src/unknown'), '')
  rmSync(join(rig.dir, 'src/unknown'))
  await quiet()
  expect(starts(rig)).toBe(1)
  writeFileSync(join(rig.dir, 'src/a.js'), '2')
  await eventually(() => expect(starts(rig)).toBe(2))
})

test('changes during a restart lead to exactly one more', async () => {
  await using rig = await createRig()
  await armed(rig, watched(rig, { paths: ['src'], debounce: '50ms' }, 'await new Promise((go) => setTimeout(go, 800))'))
  writeFileSync(join(rig.dir, 'src/a.js'), '2')
  await eventually(() => expect(starts(rig)).toBe(2))
  for (let i = 0; i < 5; i++) {
    writeFileSync(join(rig.dir, 'src/a.js'), `3${i}`)
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  await eventually(() => expect(starts(rig)).toBe(3))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(starts(rig)).toBe(3)
})

test('a change starts an app that has failed, and not one that was stopped by hand', async () => {
  await using rig = await createRig()
  const script = rig.write('run.mjs', "import './src/main.mjs'")
  rig.write('src/main.mjs', "process.send('ready'); setInterval(() => {}, 1000)")
  const api = { script, ready: 'signal', restart: { max: 1 }, watch: { paths: ['src'], debounce: '100ms' } }
  await armed(rig, { api })
  rig.write('src/main.mjs', "throw new Error('oops')")
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'failed' }))
  rig.write('src/main.mjs', "process.send('ready'); setInterval(() => {}, 1000) // mended")
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 }))
  expect(await rig.eco(['stop', 'api'])).toMatchObject({ code: 0 })
  rig.write('src/main.mjs', "process.send('ready'); setInterval(() => {}, 1000) // again")
  await quiet()
  expect(await rig.app('api')).toMatchObject({ state: 'stopped' })
})

test('an app that writes into its own folder at every start is restarted a few times, and then it is told why not', async () => {
  await using rig = await createRig()
  const apps = watched(
    rig,
    { paths: ['src'], debounce: '50ms' },
    "setTimeout(() => writeFileSync('src/state.json', String(Math.random())), 100)",
  )
  await armed(rig, apps)
  await eventually(async () => {
    expect(await events(rig)).toContainEqual(
      expect.stringMatching(/^watch paused: src\/state.json changes after every restart.*eco restart api/),
    )
  }, 20_000)
  const count = starts(rig)
  expect(count).toBeLessThanOrEqual(8)
  await quiet()
  expect(starts(rig)).toBe(count)
  expect(await rig.app('api')).toMatchObject({ state: 'running' })
})

test('a change of the watch touches no process; it is armed again by the next daemon', async () => {
  await using rig = await createRig()
  const apps = watched(rig, false)
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const pids = await rig.pids('api')
  await armed(rig, { api: { ...apps['api'], watch: ['src'] } })
  expect(await rig.pids('api')).toEqual(pids)
  expect(await rig.eco(['daemon', 'stop'])).toMatchObject({ code: 0 })
  const told = (await events(rig)).length
  expect(await rig.eco(['daemon', 'start'])).toMatchObject({ code: 0 })
  await eventually(async () =>
    expect((await events(rig)).slice(told)).toContainEqual(expect.stringMatching(/^watching /)),
  )
  expect(await rig.pids('api')).toEqual(pids)
  writeFileSync(join(rig.dir, 'src/a.js'), '2')
  await eventually(() => expect(starts(rig)).toBe(2))
})

test('action: reload replaces it without a gap, and a single file can be watched', async () => {
  await using rig = await createRig()
  rig.write('config.json', '{}')
  await armed(rig, watched(rig, { paths: ['config.json'], action: 'reload', debounce: '100ms' }))
  writeFileSync(join(rig.dir, 'other.json'), '')
  await quiet()
  expect(starts(rig)).toBe(1)
  writeFileSync(join(rig.dir, 'config.new'), '{"a":1}')
  renameSync(join(rig.dir, 'config.new'), join(rig.dir, 'config.json'))
  await eventually(() => expect(starts(rig)).toBe(2))
  expect(await events(rig)).toContain('reload: config.json changed')
})
