/** The log files as other programs see them: stable names, one file an instance and output, appended to. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, type TestContext } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'
import { isInstalled, startShipper } from '../support/shipper.ts'

const WAIT_MS = 20_000
const counter = { command: ['node', fixture('counts-lines.mjs')] }
const logs = (rig: Rig): string => join(rig.home, 'scopes/demo/default/logs')

/** As docs/logs.md has it, for this home. */
function recipe(language: string, rig: Rig): string {
  const page = readFileSync(join(ROOT, 'docs/logs.md'), 'utf8')
  const [, text = ''] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(page) ?? []
  return text.replaceAll('/home/ann/.eco', rig.home)
}

function needs(context: TestContext, program: string, debianPackage: string): void {
  if (isInstalled(program)) return
  console.warn(`SKIPPED ${context.task.name}: ${program} is not installed (apt-get install ${debianPackage})`)
  context.skip()
}

function duplicates(lines: readonly string[]): string[] {
  const seen = new Set<string>()
  return lines.filter((line) => seen.size === seen.add(line).size)
}

test('a shipper gets every line once, over restart, reload, scale and its own restart', async (context) => {
  needs(context, 'rsyslogd', 'rsyslog')
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  const shipper = await startShipper(join(rig.dir, 'shipper'), recipe('rsyslog', rig))
  await rig.apply({ apps: { api: { ...counter, instances: 2 } } })
  await eventually(() => shipper.delivered('api-1.err.log').length > 10, WAIT_MS)
  expect((await rig.eco(['restart', 'api'])).code).toBe(0)
  expect((await rig.eco(['reload', 'api'])).code).toBe(0)
  await shipper.stop()
  expect((await rig.eco(['scale', 'api', '3'])).code).toBe(0)
  await eventually(() => rig.output('api', { slot: 2 }).length > 100, WAIT_MS)
  await shipper.start()
  expect((await rig.eco(['stop', 'api'])).code).toBe(0)
  for (const slot of [0, 1, 2]) {
    for (const stream of ['out', 'err'] as const) {
      const written = rig.output('api', { slot, stream }).trimEnd().split('\n')
      expect(written.length).toBeGreaterThan(10)
      await eventually(() => {
        expect(shipper.delivered(`/api-${slot}.${stream}.log`).toSorted()).toEqual(written.toSorted())
      }, WAIT_MS)
    }
  }
})

/** Runs logrotate at once, with its state beside the rules. */
function logrotate(rig: Rig, rules: string): void {
  const path = join(rig.dir, 'logrotate.conf')
  writeFileSync(path, rules)
  chmodSync(path, 0o644)
  const result = spawnSync('logrotate', ['--force', '--state', join(rig.dir, 'logrotate.state'), path], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  })
  expect(result.stderr).toBe('')
  expect(result.status).toBe(0)
}

test('logrotate with copytruncate rotates what eco leaves alone', async (context) => {
  needs(context, 'logrotate', 'logrotate')
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...counter, logs: { rotation: 'off' } } } })
  await eventually(() => rig.output('api').length > 2000, WAIT_MS)
  const { ino } = statSync(join(logs(rig), 'api-0.out.log'))
  logrotate(rig, recipe('logrotate', rig).replace(/^ *compress\n/m, ''))
  const rotated = readFileSync(join(logs(rig), 'api-0.out.log.1'), 'utf8')
    .trimEnd()
    .split('\n')
  await eventually(() => rig.output('api').split('\n').length > 20, WAIT_MS)
  // Appended to: the same file, from its beginning, without a hole.
  const live = rig.output('api').split('\n')
  expect(statSync(join(logs(rig), 'api-0.out.log')).ino).toBe(ino)
  expect(live[0]).toMatch(/^\d+ out \d+$/)
  expect(numberOf(live[0])).toBeGreaterThan(numberOf(rotated.at(-1)))
})

test('after logrotate without copytruncate the app writes on in the renamed file, until its next start', async (context) => {
  needs(context, 'logrotate', 'logrotate')
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...counter, logs: { rotation: 'off' } } } })
  await eventually(() => rig.output('api').length > 500, WAIT_MS)
  logrotate(rig, `${logs(rig)}/*.log {\n  rotate 5\n  create 0600\n}\n`)
  const renamed = (): string => readFileSync(join(logs(rig), 'api-0.out.log.1'), 'utf8')
  const before = renamed().length
  await eventually(() => renamed().length > before, WAIT_MS)
  expect(rig.output('api')).toBe('')
  expect((await rig.eco(['restart', 'api'])).code).toBe(0)
  await eventually(() => rig.output('api').length > 500, WAIT_MS)
  expect(duplicates((renamed() + rig.output('api')).trimEnd().split('\n'))).toEqual([])
  expect(readdirSync(logs(rig)).toSorted()).toEqual([
    'api-0.err.log',
    'api-0.err.log.1',
    'api-0.out.log',
    'api-0.out.log.1',
  ])
})

function numberOf(line: string | undefined): number {
  return Number(line?.split(' ').at(-1))
}
