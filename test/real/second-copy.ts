import { expect } from 'vitest'
import type { Rig } from '../support/rig.ts'
import { expectServing, type Lifecycle, variant } from './lifecycle.ts'
import { applyApp, ecoIn } from './real-app.ts'

/**
 * A second copy on the port of the first never counts as running: not when it ends with whatever code, and not when it
 * stays alive while the first one answers. eco says whose port it is, and the first one goes on.
 */
export async function expectSecondCopyRefused(rig: Rig, app: Lifecycle): Promise<void> {
  expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
  await expectServing(rig, app)
  const [pid] = await rig.pids(app.service)
  const copy = variant(app, 'copy.yaml', (file) => {
    file.project = 'copy'
    const service = file.apps[app.service]
    service.ready.timeout = '5s'
  })
  const result = await applyApp(rig, app, copy)
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain(`pid ${pid}`)
  const [second] = await rig.ls(app.service, '--project', 'copy')
  expect(second).toMatchObject({ state: 'failed', ready: 0 })
  expect(await rig.pids(app.service, '--project', app.project ?? app.folder)).toEqual([pid])
  await app.ask()
  expect(await ecoIn(rig, app, ['delete', 'all', '--yes'])).toMatchObject({ code: 0 })
}
