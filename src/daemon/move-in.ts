/**
 * Apps that were started before the unit was, by a daemon in a shell, live in the cgroup of that shell's session. systemd
 * ends them with the session, and when the machine goes down without asking anybody for an order. They are moved to where
 * the unit's own apps are.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { RuntimeRecord } from '../state/runtime-store.ts'
import type { ProcessTrees } from '../supervisor/process-trees.ts'
import type { Pass } from '../supervisor/session-sweep.ts'

const TIMEOUT_MS = 10_000
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']

export interface OwnUnit {
  /** `eco.service` */
  readonly name: string
  readonly isOfUser: boolean
}

/** The runs whose processes live elsewhere, with these processes. */
export type Elsewhere = ReadonlyMap<string, readonly number[]>

/** Moves every process of this ECO_HOME into the unit. @returns what was moved */
export function moveIn(unit: OwnUnit, pass: Pass): Elsewhere {
  const own = ownPlace(unit.name)
  if (own === null) return new Map()
  const elsewhere = new Map<string, readonly number[]>()
  for (const [run, processes] of pass.runs) {
    const pids = processes.map(({ pid }) => pid).filter((pid) => !isBelow(own.unit, cgroupOf(pid)))
    if (pids.length > 0) elsewhere.set(run, pids)
  }
  if (elsewhere.size === 0) return elsewhere
  const pids = [...elsewhere.values()].flat()
  try {
    // systemd alone may take processes of ours out of a session.
    const manager = ['busctl', unit.isOfUser ? '--user' : '--system', '--quiet', 'call', ...MANAGER]
    const method = ['AttachProcessesToUnit', 'ssau', unit.name, own.leaf, String(pids.length), ...pids.map(String)]
    const [program = '', ...args] = [...manager, ...method]
    execFileSync(program, args, { timeout: TIMEOUT_MS, stdio: ['ignore', 'ignore', 'pipe'] })
    console.error(`moved ${pids.length} processes of ${elsewhere.size} instances into ${unit.name}`)
  } catch (error) {
    const reason = String((error as { stderr?: Buffer }).stderr ?? (error as Error).message).trim()
    console.error(
      `${elsewhere.size} instances stay in the session they were started in, until they are restarted: ${reason}`,
    )
    return new Map()
  }
  return elsewhere
}

/** What a record says of an instance that was moved. Its processes get a cgroup below the unit, where there can be one. */
export function rehome(record: RuntimeRecord, trees: ProcessTrees, moved: Elsewhere): RuntimeRecord {
  const { nest } = record
  if (nest === null || !moved.has(nest.run)) return record
  return { ...record, nest: trees.rehome(nest, moved.get(nest.run) ?? []) }
}

interface OwnPlace {
  /** The cgroup of the unit. */
  readonly unit: string
  /** Where in it the daemon is, as systemd wants to be told: empty, or `/supervisor`. */
  readonly leaf: string
}

function ownPlace(unit: string): OwnPlace | null {
  const path = cgroupOf('self')
  const at = path?.indexOf(`/${unit}`) ?? -1
  if (path === null || at < 0) return null
  const end = at + unit.length + 1
  return { unit: path.slice(0, end), leaf: path.slice(end) }
}

function isBelow(unit: string, path: string | null): boolean {
  return path === null || path === unit || path.startsWith(`${unit}/`)
}

/** In the hierarchy by which systemd tells units apart; null: it has ended. */
function cgroupOf(pid: number | 'self'): string | null {
  try {
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
    const line = lines.find((it) => it.startsWith('0::')) ?? lines.find((it) => it.includes(':name=systemd:'))
    return line?.slice(line.indexOf(':', line.indexOf(':') + 1) + 1) ?? null
  } catch {
    return null
  }
}
