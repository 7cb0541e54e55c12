import type { AppSpec } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'

/**
 * Warns when the services whose instances are told by the CPUs (`max`, `50%`) have more instances together than there
 * are CPUs. Each may be right by itself; nobody sees the sum.
 *
 * @param cpus read only when there is such a service
 */
export function checkOversubscription(
  apps: readonly AppNode[],
  specs: Readonly<Record<string, AppSpec>>,
  cpus: () => number,
  warning: Report,
): void {
  const shares = apps.flatMap((app) => {
    const { instances } = app.data
    const spec = specs[app.name]
    const isShare = typeof instances === 'string' && !/^\d+$/.test(instances)
    return isShare && spec?.kind === 'service' ? [{ app, written: instances, count: spec.instances }] : []
  })
  const last = shares.at(-1)
  if (!last) return
  const total = shares.reduce((sum, { count }) => sum + count, 0)
  const usable = cpus()
  if (total <= usable) return
  const list = shares.map(({ app, written, count }) => `${app.name} ${count} (${written})`).join(', ')
  const machine = usable === 1 ? 'the one CPU eco may use' : `the ${usable} CPUs eco may use`
  const message = `${total} instances would share ${machine}: ${list}`
  const first = shares[0] ?? last
  warning(first.app.at('instances'), message, "give each a part of the CPUs, like instances: '50%'")
}
