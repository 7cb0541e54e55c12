import type { ChildProcess } from 'node:child_process'
import type { MethodName, Methods } from './protocol.ts'
import { call, type CallOptions, NoDaemon } from './client.ts'

const POLL_MS = 8
const GIVE_UP_MS = 15_000
const NOT_A_SERVICE = {
  ECO_UNIT: undefined,
  NOTIFY_SOCKET: undefined,
  WATCHDOG_PID: undefined,
  WATCHDOG_USEC: undefined,
}

/** Asks the daemon, starting it first when none is there. */
export async function callOrStart<M extends MethodName>(
  method: M,
  params: Methods[M]['params'],
  options: CallOptions,
): Promise<Methods[M]['result']> {
  try {
    return await call(method, params, options)
  } catch (error) {
    if (!(error instanceof NoDaemon)) throw error
  }
  await startDaemon(options.home)
  return call(method, params, options)
}

/**
 * Starts a daemon and waits until one answers: by its service, where `eco startup` made one, else ours, or that of another
 * command that started at the same time.
 *
 * @throws EcoError DAEMON_UNREACHABLE with the end of the daemon's log
 */
export async function startDaemon(home: string): Promise<void> {
  const { startByService } = await import('../startup/start-service.ts')
  const service = startByService(home)
  if (service.type === 'refused') {
    process.stderr.write(
      `${service.title} did not start (${service.reason}); the daemon runs without it: see "${service.status}"\n`,
    )
  }
  const daemon = service.type === 'started' ? null : await spawnDaemon(home)
  let ended = false
  daemon?.once('exit', () => {
    ended = true
  })
  const deadline = Date.now() + GIVE_UP_MS
  while (Date.now() < deadline) {
    try {
      await call('hello', {}, { home })
      return
    } catch (error) {
      // Another daemon may have been quicker, and ours left; but when ours died and none answers, waiting is vain.
      if (ended && !(await someoneAnswersSoon(home))) break
      if (!(error instanceof NoDaemon) && ended) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const [{ EcoError }, { lastLines }, { daemonLogPath }] = await Promise.all([
    import('../errors.ts'),
    import('../logs/tail.ts'),
    import('../state/paths.ts'),
  ])
  throw new EcoError('DAEMON_UNREACHABLE', 'The eco daemon could not be started.', {
    details: lastLines(daemonLogPath(home), 8),
    hint: `see ${daemonLogPath(home)}`,
  })
}

async function someoneAnswersSoon(home: string): Promise<boolean> {
  for (let i = 0; i < 25; i++) {
    try {
      await call('hello', {}, { home })
      return true
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS * 5))
    }
  }
  return false
}

async function spawnDaemon(home: string): Promise<ChildProcess> {
  const [{ spawn }, fs, path, { daemonLogPath }] = await Promise.all([
    import('node:child_process'),
    import('node:fs'),
    import('node:path'),
    import('../state/paths.ts'),
  ])
  fs.mkdirSync(home, { recursive: true, mode: 0o700 })
  const log = fs.openSync(daemonLogPath(home), 'a', 0o600)
  try {
    // dist/eco.cjs, whichever way it was called; the daemon lies beside it.
    const entry = path.join(path.dirname(fs.realpathSync(process.argv[1] ?? '')), 'daemon.cjs')
    // A small young generation keeps the daemon at half the memory after hours of work.
    const child = spawn(process.execPath, ['--max-semi-space-size=1', entry], {
      cwd: '/',
      // Started by an app of ours (a deploy script, say) it does not belong to that app; nor to a service of systemd.
      env: { ...process.env, ECO_HOME: home, NODE_OPTIONS: '', ECO_RUN: undefined, ...NOT_A_SERVICE },
      detached: true,
      stdio: ['ignore', log, log],
    })
    child.unref()
    return child
  } finally {
    fs.closeSync(log)
  }
}
