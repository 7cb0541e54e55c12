/** An app that moves to another address: both are asked throughout, and neither ever fails somebody it has accepted. */

import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { createRig, fixture } from '../support/rig.ts'

/** What a port answered, again and again; the same in a row is one entry. */
function watch(port: number): { readonly seen: string[]; stop(): Promise<void> } {
  const seen: string[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      const answer = await get(port).then(
        ({ status, body }) => `${status} from version ${body.version}`,
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      )
      if (seen.at(-1) !== answer) seen.push(answer)
    }
  })()
  return {
    seen,
    stop: () => {
      isOver = true
      return asking
    },
  }
}

test.each([1, 2])('the new port opens before the old one closes: %d instances', async (instances) => {
  await using rig = await createRig()
  const [from, to] = [await freePort(), await freePort()]
  const apply = (port: number, version: string) =>
    rig.apply({
      apps: {
        api: {
          script: fixture('http-server.mjs'),
          instances,
          listen: `127.0.0.1:${port}`,
          env: { VERSION: version },
          stop: { drain: '1s' },
        },
      },
    })
  expect(await apply(from, '1')).toMatchObject({ code: 0 })
  const [old, fresh] = [watch(from), watch(to)]
  await eventually(() => old.seen.length > 0 && fresh.seen.length > 0)
  expect(await apply(to, '2')).toMatchObject({ code: 0 })
  await eventually(() => old.seen.at(-1) === 'ECONNREFUSED')
  await Promise.all([old.stop(), fresh.stop()])
  // Nobody had accepted what waited at the very moment it closed.
  expect(old.seen.filter((answer) => answer !== 'ECONNRESET')).toEqual(['200 from version 1', 'ECONNREFUSED'])
  expect(old.seen.length).toBeLessThanOrEqual(3)
  expect(fresh.seen).toEqual(['ECONNREFUSED', '200 from version 2'])
  expect((await rig.app('api')).listen).toEqual([`127.0.0.1:${to}`])
})

test('a port that moves to another address of the machine is rolled, or refused with what to do', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const apply = (listen: string | number) =>
    rig.apply({ apps: { api: { script: fixture('http-server.mjs'), listen } } })
  expect(await apply(`127.0.0.1:${port}`)).toMatchObject({ code: 0 })
  const asked = watch(port)
  const moved = await apply(port)
  await asked.stop()
  expect(asked.seen).toEqual(['200 from version 1'])
  if (moved.code === 0) return expect((await rig.app('api')).listen).toEqual([port])
  // Node before 22.12 binds nothing beside a socket that listens.
  expect(moved).toMatchObject({ code: 5 })
  expect(moved.stderr).toContain('eco stop api && eco apply && eco start api')
  expect((await rig.app('api')).listen).toEqual([`127.0.0.1:${port}`])
  expect(await rig.eco(['stop', 'api'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
  expect((await get(port)).status).toBe(200)
})

test('a move whose new version does not start leaves the old port as it was, and the new one closed', async () => {
  await using rig = await createRig()
  const [from, to] = [await freePort(), await freePort()]
  const api = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${from}` }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const old = watch(from)
  const broken = { ...api, script: fixture('crash-at-start.mjs'), listen: `127.0.0.1:${to}` }
  expect(await rig.apply({ apps: { api: broken } })).toMatchObject({ code: 6 })
  await old.stop()
  expect(old.seen).toEqual(['200 from version 1'])
  await expect(get(to)).rejects.toThrow('ECONNREFUSED')
})
