import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, NoDaemon } from '../../daemon/client.ts'
import { startDaemon } from '../../daemon/ensure.ts'
import { EcoError } from '../../errors.ts'
import { lastLines } from '../../logs/tail.ts'
import { daemonLogPath, ecoHome, scopesDir } from '../../state/paths.ts'
import { findDaemon } from '../find-daemon.ts'

export async function startCommand(json: boolean): Promise<void> {
  const home = ecoHome()
  const before = await findDaemon(home)
  if (before === null) await startDaemon(home)
  const now = before ?? (await call('hello', {}, { home }))
  const { scopes } = await call('resume', {}, { home })
  const resumed = scopes.length === 0 ? '' : ` Started again: ${scopes.join(', ')}.`
  const text = before === null ? `The daemon runs, pid ${now.pid}.` : `The daemon runs already, pid ${now.pid}.`
  print(json, { ...now, resumed: scopes }, text + resumed)
}

export async function stopCommand(apps: boolean, json: boolean): Promise<void> {
  const home = ecoHome()
  const daemon = await findDaemon(home)
  if (daemon === null) {
    if (!apps || !existsSync(scopesDir(home))) return print(json, { stopped: false }, 'No daemon is running.')
    // One that was killed has left its apps running: only a daemon knows which these are.
    await startDaemon(home)
  }
  const { instances, left_alone = [] } = await call('shutdown', { apps }, { home })
  await whenGone(home)
  const count = instances === 1 ? '1 instance' : `${instances} instances`
  const goOn = instances === 0 ? '' : ` ${count} go on without supervision; the next eco command takes them over.`
  const text = apps
    ? `Stopped ${count} and the daemon; "eco daemon start" brings them back.`
    : `The daemon has ended.${goOn}`
  for (const scope of left_alone) process.stderr.write(`The apps of this scope go on:\n    ${scope}\n`)
  print(json, { stopped: true, instances, ...(left_alone.length > 0 && { left_alone }) }, text)
}

/** @returns 0 when it runs, 5 when not */
export async function statusCommand(json: boolean): Promise<number> {
  const daemon = await findDaemon(ecoHome())
  if (daemon === null) throw new NoDaemon()
  print(
    json,
    daemon,
    `The daemon runs: eco ${daemon.version}, pid ${daemon.pid}, since ${daemon.started_at}, home ${daemon.home}${daemon.unit ? `, kept by ${daemon.unit.name}` : ''}`,
  )
  return 0
}

export function logsCommand(lines: number): void {
  const path = daemonLogPath(ecoHome())
  for (const line of lastLines(path, lines)) process.stdout.write(`${line}\n`)
}

async function whenGone(home: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if ((await findDaemon(home).catch(() => null)) === null) return
    await sleep(10)
  }
  throw new EcoError('DAEMON_UNREACHABLE', 'The daemon still answers 2s after it was told to end.', {
    hint: 'eco daemon logs',
  })
}

function print(json: boolean, data: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`)
}
