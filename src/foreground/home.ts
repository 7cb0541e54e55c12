import { mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { presenceAt } from '../daemon/claim.ts'
import { EcoError } from '../errors.ts'
import { ecoHome, socketPath } from '../state/paths.ts'

/** A unix socket's path has room for 107 bytes, and some lie in folders of their own. */
const MAX_HOME_BYTES = 60
/** Says that what is here belongs to an `eco run`, and to nobody once that has ended. */
const MARK = 'eco-run'
/** Not ours to remove: compiled code, and the key of whoever sealed something before. */
const KEPT = new Set(['cache', 'secret.key'])

/** ECO_HOME of one `eco run`: nothing of it stays. */
export interface PrivateHome {
  readonly path: string
  /** It is where every eco looks by itself. */
  readonly isUsual: boolean
  remove(): void
}

/**
 * A folder of its own. In a container, the usual one, so that `docker exec … eco ls` finds it; unless it holds what a
 * daemon needs.
 *
 * @throws EcoError STATE_UNWRITABLE when there is no place for one
 */
export async function makeHome(isInit: boolean, env: NodeJS.ProcessEnv = process.env): Promise<PrivateHome> {
  const usual = isInit ? await takeUsual(ecoHome(env)) : null
  return usual ?? makeTemporary(env)
}

async function takeUsual(path: string): Promise<PrivateHome | null> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const before = readdirSync(path)
    const isOurs = before.includes(MARK)
    const isFree = !before.includes('scopes') && !before.includes('eco.sock')
    if (!isOurs && !isFree) return null
    if ((await presenceAt(socketPath(path))) === 'answers') return null
    const clear = (): void => {
      for (const name of readdirSync(path)) {
        if (!KEPT.has(name)) rmSync(join(path, name), { recursive: true, force: true })
      }
    }
    // A container that was killed is started again with the files it had.
    if (isOurs) clear()
    writeFileSync(join(path, MARK), '', { mode: 0o600 })
    const hadKey = before.includes('secret.key') && !isOurs
    const remove = (): void => {
      clear()
      if (!hadKey) rmSync(join(path, 'secret.key'), { force: true })
      removeIfEmpty(path)
    }
    return { path, isUsual: true, remove }
  } catch {
    return null // read-only, or not ours: another place does
  }
}

function makeTemporary(env: NodeJS.ProcessEnv): PrivateHome {
  const bases = new Set([tmpdir(), '/tmp', env['XDG_RUNTIME_DIR'] ?? '/run', '/dev/shm'])
  const tried: string[] = []
  for (const base of bases) {
    try {
      if (Buffer.byteLength(base) > MAX_HOME_BYTES) throw new Error('too long for the path of a socket')
      const path = mkdtempSync(join(base, 'eco-run-')) // 0700
      return { path, isUsual: false, remove: () => rmSync(path, { recursive: true, force: true }) }
    } catch (error) {
      tried.push(`${base}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`)
    }
  }
  throw new EcoError(
    'STATE_UNWRITABLE',
    'eco run needs a folder for its sockets, and finds none that it may write to.',
    {
      details: tried,
      hint: 'give it one: docker run --tmpfs /tmp, an emptyDir at /tmp, or TMPDIR=…',
    },
  )
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // Something was there before us.
  }
}
