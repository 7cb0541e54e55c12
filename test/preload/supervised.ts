/** Real Node processes with the preload as it is shipped, and the sockets handed over as the daemon does it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { Listen } from '../../src/model/spec.ts'
import { FIRST_LISTEN_FD } from '../../src/supervisor/environment.ts'
import { listenKey, SocketRegister } from '../../src/supervisor/sockets.ts'
import { type Child, startChild } from '../supervisor/children.ts'

export const READY_FD = FIRST_LISTEN_FD - 1
const OWNER = 'test/default/app'

export interface Setup {
  readonly listen?: readonly Listen[]
  readonly signal?: boolean
  readonly env?: Record<string, string>
  readonly ipc?: boolean
}

export interface Supervision {
  /** For files of the test; there when it runs. */
  readonly folder: string
  readonly preload: string
  /** Starts a command as the supervisor would: sockets from descriptor 20 on, the ready pipe at 19. */
  readonly start: (command: readonly string[], setup?: Setup) => Child
  /** Runs CommonJS. */
  readonly node: (code: string, setup?: Setup) => Child
}

/** To be called once in a file. */
export function supervision(): Supervision {
  let folder = ''
  let preload = ''
  const register = new SocketRegister()

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'eco preload-'))
    preload = join(folder, 'preload.cjs')
    const entry = fileURLToPath(new URL('../../src/preload/preload.ts', import.meta.url))
    await build({
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      target: 'node18',
      format: 'cjs',
      outfile: preload,
    })
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(() => register.release(OWNER))

  const start: Supervision['start'] = (command, { listen = [], signal = false, env = {}, ipc = false } = {}) => {
    const stdio: ('ignore' | 'pipe' | 'inherit' | 'ipc' | number)[] = ['ignore', 'pipe', 'inherit']
    for (let fd = 3; fd < FIRST_LISTEN_FD; fd++) stdio[fd] = 'ignore'
    if (signal) stdio[READY_FD] = 'pipe'
    if (ipc) stdio[3] = 'ipc'
    for (const it of listen) stdio.push(register.acquire(it, OWNER))
    const declared = listen.map((it, i) => `${FIRST_LISTEN_FD + i}=${listenKey(it)}`).join(';')
    return startChild(command, {
      stdio,
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        NODE_OPTIONS: `--require ${JSON.stringify(preload)}`,
        ...(listen.length > 0 ? { ECO_LISTEN: declared } : {}),
        ...(signal ? { ECO_READY_FD: String(READY_FD) } : {}),
        ...env,
      },
    })
  }
  return {
    get folder() {
      return folder
    },
    get preload() {
      return preload
    },
    start,
    node: (code, setup) => start([process.execPath, '-e', code], setup),
  }
}

export const tcp = (port: number, host: string | null = null): Listen => ({ type: 'tcp', host, port })
