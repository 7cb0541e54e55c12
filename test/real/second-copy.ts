import { expect } from 'vitest'
import type { Rig } from '../support/rig.ts'
import { expectServing, type Lifecycle, variant } from './lifecycle.ts'
import { applyApp, ecoIn } from './real-app.ts'

/**
 * A second copy on the port of the first never counts as running: not when it ends, with whatever code, and not when it
 * stays alive while the first one answers. eco says whose port it is, and the first one goes on.
 */
export async function expectSecondCopyRefused(rig: Rig, app: Lifecycle): Promise<void> {
  const both = variant(app, 'copy.yaml', (file) => {
    const original = file.apps[app.service]
    const dependsOn = [...(original.depends_on ?? []), app.service]
    file.apps.copy = { ...original, depends_on: dependsOn, ready: { ...original.ready, timeout: '5s' } }
  })
  const result = await applyApp(rig, app, both)
  const [pid] = await rig.pids(app.service)
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain(`pid ${pid}`)
  expect(await rig.app('copy')).toMatchObject({ ready: 0, state: expect.not.stringMatching(/^running$/) as string })
  await expectServing(rig, app)
  expect(await ecoIn(rig, app, ['delete', 'copy', '--yes'])).toMatchObject({ code: 0 })

  // And where the port is known to be taken, nothing is even tried.
  const other = variant(app, 'copy.yaml', (file) => (file.project = 'copy'))
  const refused = await applyApp(rig, app, other)
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain(`pid ${pid}`)
  expect((await rig.ls()).map(({ project }) => project)).not.toContain('copy')
  await expectServing(rig, app)
  expect(await ecoIn(rig, app, ['delete', 'all', '--yes'])).toMatchObject({ code: 0 })
}
