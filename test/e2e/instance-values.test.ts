/** `${instance}`: what differs from instance to instance, seen in the processes themselves. */

import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePorts } from '../support/ports.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

/** The pids that answer, each on its own port from `first` on. */
function answers(first: number, count: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, slot) => {
      const { body } = await get(first + slot)
      expect(body.instance).toBe(slot)
      return body.pid as number
    }),
  )
}

async function described(rig: Rig): Promise<{ text: string; spec: any }> {
  const [text, json] = await Promise.all([rig.eco(['describe', 'web']), rig.eco(['describe', 'web', '--json'])])
  return { text: text.stdout, spec: json.json().apps[0].spec }
}

test('each instance has a port of its own, is asked for readiness on it, and a further one takes the next', async () => {
  await using rig = await createRig()
  const first = await freePorts(4)
  const web = {
    script: fixture('http-server.mjs'),
    instances: 3,
    env: { PORT: `\${${first} + instance}` },
    ready: { http: `:\${instance + ${first}}/healthz` },
  }
  expect(await rig.apply({ apps: { web } })).toMatchObject({ code: 0 })
  expect(await rig.app('web')).toMatchObject({ state: 'running', ready: 3 })
  expect(await answers(first, 3)).toEqual(await rig.pids('web'))

  const { text, spec } = await described(rig)
  expect(text).toContain(`PORT=\${instance + ${first}}`)
  expect(text).toContain(`http :\${instance + ${first}}/healthz`)
  expect(spec.env.PORT).toEqual({ type: 'plain', value: `\${instance + ${first}}` })

  expect(await rig.eco(['scale', 'web', '4'])).toMatchObject({ code: 0 })
  expect(await answers(first, 4)).toEqual(await rig.pids('web'))
})

test('an instance that answers on the port of another is not ready', async () => {
  await using rig = await createRig()
  const first = await freePorts(3)
  const web = {
    script: fixture('http-server.mjs'),
    instances: 2,
    env: { PORT: `\${instance + ${first}}` },
    ready: { http: `:\${instance + ${first + 1}}/healthz`, timeout: '3s' },
  }
  const result = await rig.apply({ apps: { web } })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toMatch(/web#\d was not ready within 3s/)
})

test('arguments and secrets differ, too; an unchanged file is no change, another offset is one', async () => {
  await using rig = await createRig()
  const config = (offset: number): object => ({
    apps: {
      web: {
        command: [
          'sh',
          '-c',
          'echo "$1 $KEY $NODE_APP_INSTANCE-"; exec sleep 1000',
          'sh',
          `n=\${instance + ${offset}}`,
        ],
        instances: 2,
        env: { KEY: { value: 'key-${instance}-$${instance}', secret: true } },
      },
    },
  })
  expect(await rig.apply(config(7))).toMatchObject({ code: 0 })
  for (const slot of [0, 1]) {
    const line = `n=${7 + slot} key-${slot}-\${instance} -\n`
    await eventually(() => expect(rig.output('web', { slot })).toBe(line))
  }
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  rig.write('ecosystem.yaml', config(8))
  const diff = await rig.eco(['diff', '--exit-code'])
  expect(diff.code).toBe(2)
  expect(diff.stdout).toContain("'n=${instance + 7}' -> ")
  const json = (await rig.eco(['diff', '--json'])).json()
  expect(json.changes[0].fields[0].after.at(-1)).toBe('n=${instance + 8}')
})

test('programs of Node.js find their number in NODE_APP_INSTANCE, unless the app says otherwise', async () => {
  await using rig = await createRig()
  const script = fixture('prints-env.mjs')
  const own = { script, env: { NODE_APP_INSTANCE: 'mine' } }
  expect(await rig.apply({ apps: { web: { script, instances: 2 }, own } })).toMatchObject({ code: 0 })
  const seen = (app: string, slot: number): string => JSON.parse(rig.output(app, { slot })).NODE_APP_INSTANCE
  await eventually(() => expect([seen('web', 0), seen('web', 1), seen('own', 0)]).toEqual(['0', '1', 'mine']))
})
