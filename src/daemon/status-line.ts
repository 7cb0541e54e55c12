import { scopeName } from '../model/ids.ts'
import type { Daemon } from './daemon.ts'
import { appNames, listApp } from './listing.ts'

/** One line for `systemctl status`: how much runs, and by name what does not as it should. */
export function statusLine(daemon: Daemon): string {
  const apps = daemon.keepers().flatMap((keeper) => {
    return appNames(keeper, daemon.engine).map((app) => listApp(keeper, app, daemon.engine, daemon.monitor))
  })
  const services = apps.filter(({ kind }) => kind === 'service')
  const wanted = services.reduce((sum, it) => sum + it.wanted, 0)
  const ready = services.reduce((sum, it) => sum + it.ready, 0)
  const held = services.filter(({ hold }) => hold !== null).length
  const failed = apps
    .filter(({ state }) => state === 'failed')
    .map(({ project, environment, app }) => {
      return `${scopeName({ project, environment })}/${app}`
    })
  return [
    `${apps.length} app${apps.length === 1 ? '' : 's'}, ${ready} of ${wanted} instance${wanted === 1 ? '' : 's'} ready`,
    ...(held > 0 ? [`${held} held`] : []),
    ...(failed.length > 0 ? [`failed: ${failed.slice(0, 5).join(', ')}${failed.length > 5 ? ' …' : ''}`] : []),
  ].join(', ')
}
