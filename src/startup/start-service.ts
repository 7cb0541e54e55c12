import { findAccount } from './accounts.ts'
import { findInit } from './find-init.ts'
import { findServices } from './find-services.ts'
import { runCommand } from './run-command.ts'

export type ServiceStart =
  /** There is none for this ECO_HOME. */
  | { readonly type: 'none' }
  | { readonly type: 'started' }
  | { readonly type: 'refused'; readonly title: string; readonly reason: string; readonly status: string }

/** Has the daemon started by the service that `eco startup` made, where there is one: so it is in its place at once. */
export function startByService(home: string): ServiceStart {
  const init = findInit()
  const account = init === null ? null : findAccount(String(process.getuid?.()))
  if (init === null || account === null) return { type: 'none' }
  const [service] = findServices(init, home, account)
  if (!service) return { type: 'none' }
  const { title, start, status } = service.file
  const failed = start.map(runCommand).find(({ code }) => code !== 0)
  if (!failed) return { type: 'started' }
  return { type: 'refused', title, reason: failed.text.split('\n')[0] ?? '', status: status.join(' ') }
}
