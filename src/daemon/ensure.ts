import type { ChildProcess } from 'node:child_process'
import type { MethodName, Methods } from './protocol.ts'
import { call, type CallOptions, DaemonEnded, NoDaemon } from './client.ts'

const POLL_MS = 8
const GIVE_UP_MS = 15_000
/** Of a daemon that is not our child. */
const STARTS = { exitCode: null, signalCode: null }
const NOT_A_SERVICE = {
  ECO_UNIT: undefined,
  NOTIFY_SOCKET: undefined,
  WATCHDOG_PID: undefined,
  WATCHDOG_USEC: undefined,
}

/** They change nothing: when the daemon ends before it has answered, the next one is asked. */
const READS: ReadonlySet<MethodName> = new Set<MethodName>([
  'hello',
  'plan',
  'rollbackPlan',
  'verbPlan',
  'ls',
  'lsText',
  'describe',
  'logs',
])
/** Something kills daemons, or they do not get far: then it is time to say so. */
const MOST_TRIES = 10

/** Asks the daemon, starting it first when none is there. */
export async function callOrStart<M extends MethodName>(
  method: M,
  params: Methods[M]['params'],
  options: CallOptions,
): Promise<Methods[M]['result']> {
  for (let tries = 1; ; tries++) {
    try {
      return await call(method, params, options)
    } catch (error) {
      const isLost = error instanceof NoDaemon || (error instanceof DaemonEnded && READS.has(method))
      if (!isLost || tries === MOST_TRIES) throw error
      if (error instanceof NoDaemon) await startDaemon(options.home)
    }
  }
}

/**
 * Starts a daemon and waits until one answers: by its service, where `eco startup` made one, else ours, or that of another
 * command that started at the same time.
 *
 * @throws EcoError DAEMON_UNREACHABLE with the end of the daemon's log, STATE_UNWRITABLE
 */
export async function startDaemon(home: string): Promise<void> {
  const { startByService } = await import('../startup/start-service.ts')
  const service = startByService(home)
  if (service.type === 'refused') {
    process.stderr.write(
      `${service.title} did not start (${service.reason}); the daemon runs without it: see "${service.status}"\n`,
    )
  }
  // The service starts its daemon again by itself.
  let daemon = service.type === 'started' ? null : await spawnDaemon(home)
  let spawned = 1
  const deadline = Date.now() + GIVE_UP_MS
  while (Date.now() < deadline) {
    try {
      await call('hello', {}, { home })
      return
    } catch (error) {
      const { exitCode, signalCode } = daemon ?? STARTS
      const hasEnded = exitCode !== null || signalCode !== null
      if (!(error instanceof NoDaemon) && !(error instanceof DaemonEnded) && hasEnded) throw error
      // Another daemon may have been quicker, and ours left.
      if (hasEnded && (signalCode !== null || !(await someoneAnswersSoon(home)))) {
        // When ours failed and none answers, waiting is vain; when somebody killed it, or the one it left for, it is not.
        if ((exitCode !== null && exitCode !== 0) || spawned++ === MOST_TRIES) break
        daemon = await spawnDaemon(home)
      }
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

/** dist/eco.cjs, whichever way it was called; the daemon lies beside it. */
export async function daemonEntry(): Promise<string> {
  const [fs, path] = await Promise.all([import('node:fs'), import('node:path')])
  return path.join(path.dirname(fs.realpathSync(process.argv[1] ?? '')), 'daemon.cjs')
}

/** @throws EcoError STATE_UNWRITABLE, on a full disk or in a container whose root is read-only, say */
async function openLog(home: string): Promise<number> {
  const [fs, { daemonLogPath }] = await Promise.all([import('node:fs'), import('../state/paths.ts')])
  try {
    fs.mkdirSync(home, { recursive: true, mode: 0o700 })
    return fs.openSync(daemonLogPath(home), 'a', 0o600)
  } catch (cause) {
    const { EcoError } = await import('../errors.ts')
    throw new EcoError('STATE_UNWRITABLE', `No daemon can be started with ${home}: ${(cause as Error).message}.`, {
      details: ['Apps that run go on, without supervision.'],
      hint: 'eco doctor; or set ECO_HOME to a folder of yours (beside "eco run", its first line says which)',
      cause,
    })
  }
}

async function spawnDaemon(home: string): Promise<ChildProcess> {
  const [{ spawn }, fs] = await Promise.all([import('node:child_process'), import('node:fs')])
  const log = await openLog(home)
  try {
    const entry = await daemonEntry()
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
