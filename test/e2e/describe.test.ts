/** What `eco describe` tells of an app's declarations. */

import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

const sleep = ['sleep', '1000']

test('describe shows in a line each what an app declares', async () => {
  await using rig = await createRig()
  rig.write('src/a', '')
  const applied = await rig.apply({
    apps: {
      db: { command: sleep },
      api: {
        command: sleep,
        readiness: { exec: ['true'], interval: '5s', timeout: '2s', successes: 2 },
        health: { exec: ['true'], delay: '1s' },
        hooks: { pre_start: 'set -u\necho $HOME', post_stop: { run: ['rm', '-f', 'x.lock'], timeout: '5s' } },
        stop: { exec: ['true', 'now'], signal: 'SIGINT', timeout: '3s' },
        restart: { policy: 'on_failure', success_exit_codes: [0, 'SIGTERM'], stop_exit_codes: [78] },
        limits: { memory: '512M' },
        nice: 5,
        depends_on: { db: { condition: 'ready', restart: true } },
        watch: { paths: ['src'], ignore: ['*.tmp'] },
      },
      shy: { command: sleep, stop: { message: { type: 'shutdown' } } },
    },
  })
  expect(applied.stderr).not.toContain('problem')
  expect(applied.code).toBe(0)
  const { stdout } = await rig.eco(['describe', 'api'])
  for (const line of [
    'readiness: exec true, every 5s, each within 2s, fails after 3 in a row, passes after 2 in a row',
    'health: exec true, every 10s, each within 1s, fails after 3 in a row, first after 1s',
    'restart: on_failure, at most 16 in 1m, back-off 100ms to 30s, success is 0, SIGTERM, left as it is after 78',
    'stop: exec true now (SIGINT when that cannot be delivered), SIGKILL after 3s',
    'hooks: pre_start: set -u …, within 30s',
    '  post_stop: rm -f x.lock, within 5s',
    'limits: memory 512.0M',
    'runs as: nice 5',
    'depends on: db (ready, restarts with it)',
    'watch: src; not *.tmp; restart 200ms after the last change',
  ])
    expect(stdout).toContain(`  ${line}\n`)
  const { stdout: shy } = await rig.eco(['describe', 'shy'])
  expect(shy).toContain(
    '  stop: message {"type":"shutdown"} (SIGTERM when that cannot be delivered), SIGKILL after 10s\n',
  )
  expect(shy).not.toMatch(/hooks|watch|limits|runs as|readiness|health/)
})

test('describe and ls tell what a failed hook printed, each line of it on its own', async () => {
  await using rig = await createRig()
  const applied = await rig.apply({
    apps: {
      api: {
        command: sleep,
        hooks: { pre_start: 'echo no database >&2; echo ask Ann >&2; exit 7' },
        restart: { backoff: { initial: '40s', max: '40s', jitter: '0%' } },
      },
    },
  })
  expect(applied).toMatchObject({ code: 7 })
  expect(applied.stderr).toContain('exited with code 7; restarting (restart 1 of 16)\n    no database\n    ask Ann\n')
  const { stdout } = await rig.eco(['describe', 'api'])
  expect(stdout).toMatch(
    / {2}api#0 {2}backoff: was not started: its pre_start hook failed: exited with code 7; next attempt at .*\n {4}no database\n {4}ask Ann\n/,
  )
})

test('a secret that a hook or a check prints is not told on', async () => {
  await using rig = await createRig()
  const env = { TOKEN: { value: 'hunter2-secret', secret: true } }
  const applied = await rig.apply({
    apps: {
      hooked: { command: sleep, env, hooks: { pre_start: 'echo denied to $TOKEN >&2; exit 7' }, restart: { max: 1 } },
      checked: { command: sleep, env, ready: { exec: ['sh', '-c', 'echo no $TOKEN; exit 1'], timeout: '500ms' } },
      after: { command: sleep, env, hooks: { post_start: 'echo late $TOKEN; exit 1' } },
    },
  })
  expect(applied).toMatchObject({ code: 7 })
  expect(applied.stderr).toContain('denied to (secret TOKEN)')
  expect(applied.stderr).toContain('no (secret TOKEN)')
  expect(applied.stderr).toContain('after#0 was stopped: its post_start hook failed: exited with code 1')
  const told = applied.stderr.replaceAll(/^ {2}its last words:\n(?: {4}.*\n)*/gm, '')
  expect(told).not.toContain('hunter2')
  for (const args of [['events'], ['events', '--json'], ['ls', '--json'], ['diff']]) {
    expect((await rig.eco(args)).stdout, args.join(' ')).not.toContain('hunter2')
  }
})
