/** Each thing that `eco doctor` knows of, made to happen: it is found, told with what to type, and nothing is touched. */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type EcoOptions, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }
const SERVER = `require('http').createServer((q, s) => s.end('ok')).listen(process.env.PORT || process.argv.at(-1))`

interface Finding {
  readonly id: string
  readonly level: string
  readonly message: string
  readonly details: readonly string[]
  readonly remedy: string | null
  readonly fixes: readonly string[]
}

interface Diagnosis {
  readonly code: number
  readonly problems: readonly Finding[]
  /** The problems of this id. */
  readonly of: (id: string) => readonly Finding[]
}

async function diagnose(rig: Rig, options: EcoOptions = {}, ...args: string[]): Promise<Diagnosis> {
  const result = await rig.eco(['doctor', '--json', ...args], options)
  const {
    format_version: format,
    findings,
    summary,
  } = result.json() as {
    format_version: string
    findings: Finding[]
    summary: Record<string, number>
  }
  expect(format).toBe('1.0')
  const problems = findings.filter(({ level }) => level === 'error' || level === 'warning')
  expect(summary['error']).toBe(findings.filter(({ level }) => level === 'error').length)
  expect(result.code).toBe(summary['error'] === 0 ? 0 : 7)
  // The promise of the issue: each finding with its remedy.
  for (const problem of problems)
    expect(problem).toEqual(expect.objectContaining({ remedy: expect.stringMatching(/\S/) }))
  return { code: result.code, problems, of: (id) => problems.filter((problem) => problem.id === id) }
}

/** Every name, mode, time and content below a folder. */
function digest(root: string): Record<string, string> {
  if (!existsSync(root)) return {}
  // The daemon goes on noting what its apps write.
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()
  const names = all.filter((name) => !/(^|\/)log-index(\/|$)/.test(name))
  return Object.fromEntries(
    ['.', ...names].map((name) => {
      const path = join(root, name)
      const { mode, mtimeMs, ctimeMs, ino } = lstatSync(path)
      const content = lstatSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
      return [name, [mode.toString(8), mtimeMs, ctimeMs, ino, content].join(' ')]
    }),
  )
}

/** The daemon ends without a word, the apps go on. */
async function crash(rig: Rig): Promise<void> {
  const pid = await rig.daemonPid()
  kill(pid)
  await eventually(() => !isRunning(pid))
}

function scopeFile(rig: Rig, ...path: string[]): string {
  return join(rig.home, 'scopes/demo/default', ...path)
}

/** A process that is none of eco's listens on the port. */
async function occupy(rig: Rig, port: number): Promise<number> {
  const child = spawn(
    process.execPath,
    ['-e', `${SERVER}.on('listening', () => console.log('listens'))`, String(port)],
    {
      env: { HOME: rig.env['HOME'] },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`the listener ended with ${code}`)))
  })
  return child.pid ?? 0
}

test('where nothing is yet, nothing is wrong, and nothing is made', async () => {
  await using rig = await createRig()
  const before = digest(dirname(rig.home))
  const { code, problems } = await diagnose(rig)
  expect(problems.filter(({ level }) => level === 'error')).toEqual([])
  expect(code).toBe(0)
  const text = await rig.eco(['doctor'])
  expect(text.stdout).toMatch(/✓ ECO_HOME/)
  expect(text.stdout).toMatch(/0 errors/)
  expect(digest(dirname(rig.home))).toEqual(before)
})

test('with apps that run well it says so, with every check, and leaves no trace', async () => {
  await using rig = await createRig()
  const port = await freePort()
  rig.write('server.js', SERVER)
  const apply = await rig.apply({
    apps: {
      web: { script: 'server.js', instances: 2, listen: port, ready: { tcp: port } },
      secretive: { ...sleeper, env: { TOKEN: { value: 'hush', secret: true } } },
      off: { ...sleeper, instances: 0 },
    },
  })
  expect(apply.code).toBe(0)
  const daemon = await rig.daemonPid()
  const pids = await rig.pids('web')
  // The code cache is written by the commands before.
  const before = digest(rig.home)
  const { code, problems } = await diagnose(rig)
  expect(problems.filter(({ id }) => !/^(?:home\.(?:space|inodes|file_system)|limits|boot)/.test(id))).toEqual([])
  expect(code).toBe(0)
  const text = await rig.eco(['doctor', '--verbose'])
  expect(text.stdout).toContain(`pid ${daemon}`)
  expect(text.stdout).toContain('1 declared address, 1 of them served')
  expect(text.stdout).toContain('secret.key opens 1 stored secret')
  expect(text.stdout + text.stderr).not.toContain('hush')
  expect(digest(rig.home)).toEqual(before)
  expect(await rig.pids('web')).toEqual(pids)
  expect(await rig.daemonPid()).toBe(daemon)
})

test('what is open to others is told, and closed when asked for', async () => {
  await using rig = await createRig()
  expect((await rig.apply({ apps: { api: { ...sleeper, env: { A: { value: 'x', secret: true } } } } })).code).toBe(0)
  const key = join(rig.home, 'secret.key')
  chmodSync(rig.home, 0o755)
  chmodSync(key, 0o644)
  const before = digest(rig.home)
  const { code, of } = await diagnose(rig)
  const [folder, files] = of('home.modes')
  expect(folder).toMatchObject({ level: 'warning', remedy: `chmod 700 ${rig.home}` })
  expect(files).toMatchObject({ level: 'error', message: expect.stringContaining('the key of the secrets') })
  expect(files?.details).toEqual(['secret.key has mode 0644, not 0600'])
  expect(code).toBe(7)
  expect(digest(rig.home)).toEqual(before)

  const fixed = await rig.eco(['doctor', '--fix'])
  expect(fixed.code).toBe(0)
  expect(fixed.stderr).toBe(`chmod 0700 ${rig.home}\nchmod 0600 ${key}\n`)
  expect([statSync(rig.home).mode & 0o777, statSync(key).mode & 0o777]).toEqual([0o700, 0o600])
  expect((await diagnose(rig)).of('home.modes')).toEqual([])
  expect((await rig.eco(['doctor', '--fix'])).stderr).toBe('There is nothing that --fix mends.\n')

  // Who may write may replace: that is more than a look.
  chmodSync(rig.home, 0o770)
  expect((await diagnose(rig)).of('home.modes')[0]?.level).toBe('error')
})

test('damaged state is named file by file, with what becomes of it', async () => {
  await using rig = await createRig()
  const secret = { env: { TOKEN: { value: 'hush', secret: true } } }
  for (const max of [5, 6, 7]) {
    expect((await rig.apply({ apps: { api: { ...sleeper, ...secret, restart: { max } } } })).code).toBe(0)
  }
  await crash(rig)
  const [older, newest] = ['000001.json', '000003.json'].map((name) => scopeFile(rig, 'revisions', name))
  const whole = readFileSync(newest ?? '', 'utf8')
  writeFileSync(older ?? '', '{')
  expect((await diagnose(rig)).of('state.revision')).toMatchObject([{ level: 'warning', remedy: `rm ${older}` }])
  unlinkSync(older ?? '')

  writeFileSync(newest ?? '', whole.slice(0, 100))
  const [cut] = (await diagnose(rig)).of('state.revision')
  expect(cut).toMatchObject({ level: 'error', message: expect.stringContaining(newest ?? '') })
  // What it says to type works: the scope falls back, its app goes on.
  const command = (cut?.remedy ?? '').split(' && ')[0] ?? ''
  execFileSync('sh', ['-c', command])
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  expect((await diagnose(rig)).of('state.revision')).toEqual([])
  await crash(rig)

  writeFileSync(newest ?? '', whole.replace(/"format":\d+/, '"format":99'))
  expect((await diagnose(rig)).of('state.format')).toMatchObject([
    {
      level: 'error',
      message: expect.stringContaining('newer than this eco'),
      remedy: expect.stringContaining('npm install'),
    },
  ])
  writeFileSync(newest ?? '', whole)

  writeFileSync(scopeFile(rig, 'holds.json'), 'x')
  expect((await diagnose(rig)).of('state.holds')).toMatchObject([{ level: 'error' }])
  unlinkSync(scopeFile(rig, 'holds.json'))

  const record = scopeFile(rig, 'runtime', readdirSync(scopeFile(rig, 'runtime'))[0] ?? '')
  const told = readFileSync(record, 'utf8')
  writeFileSync(record, '')
  const damaged = await diagnose(rig)
  expect(damaged.of('state.instance')).toMatchObject([{ level: 'warning', remedy: `mv ${record} ${record}.damaged` }])
  expect(damaged.of('apps.strays')).toMatchObject([{ remedy: 'eco daemon start' }])
  writeFileSync(record, told)

  const key = join(rig.home, 'secret.key')
  writeFileSync(key, 'ab'.repeat(32))
  expect((await diagnose(rig)).of('state.key')).toMatchObject([
    { level: 'error', details: ['demo/default/api.env.TOKEN'], remedy: 'eco apply' },
  ])
  unlinkSync(key)
  expect((await diagnose(rig)).of('state.key')).toMatchObject([{ level: 'error' }])
  expect(existsSync(key)).toBe(false)
})

test('what a crash left: a socket that nobody serves, writes cut short, apps without a daemon', async () => {
  await using rig = await createRig()
  expect((await rig.apply({ apps: { api: sleeper, gone: sleeper } })).code).toBe(0)
  await crash(rig)
  const [gone = 0] = readdirSync(scopeFile(rig, 'runtime')).flatMap((name) =>
    name.startsWith('gone.')
      ? [JSON.parse(readFileSync(scopeFile(rig, 'runtime', name), 'utf8')).process.pid as number]
      : [],
  )
  kill(gone)
  await eventually(() => !isRunning(gone))
  const dead = scopeFile(rig, 'revisions', `000002.json.${gone}.tmp`)
  const beingWritten = scopeFile(rig, 'revisions', `000002.json.${process.pid}.tmp`)
  const old = scopeFile(rig, 'runtime', `api.0.7.json.${process.pid}.tmp`)
  for (const path of [dead, beingWritten, old]) writeFileSync(path, '{', { mode: 0o600 })
  utimesSync(old, new Date(0), new Date(0))
  const before = digest(rig.home)

  const { code, of } = await diagnose(rig)
  expect(of('daemon.answer')).toMatchObject([
    {
      level: 'warning',
      remedy: 'eco daemon start',
      message: expect.stringMatching(/1 instance runs unsupervised; .*eco\.sock/),
    },
  ])
  expect(of('apps.state')).toMatchObject([{ level: 'warning', details: ['demo/default/gone#0'] }])
  expect(of('state.leftovers')).toMatchObject([{ level: 'warning', fixes: [`rm ${dead}`, `rm ${old}`] }])
  expect(code).toBe(0)
  expect(digest(rig.home)).toEqual(before)

  const fixed = await rig.eco(['doctor', '--fix'])
  expect(fixed.stderr).toBe(`rm ${dead}\nrm ${old}\n`)
  expect([dead, old, beingWritten].map((path) => existsSync(path))).toEqual([false, false, true])
  expect((await diagnose(rig)).of('state.leftovers')).toEqual([])
  // What it says to type works.
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  await eventually(async () =>
    expect((await diagnose(rig)).problems.filter(({ id }) => /^(?:daemon|apps)/.test(id))).toEqual([]),
  )
})

test('a daemon that hangs is named with its pid, and its remedy wakes it', async () => {
  await using rig = await createRig()
  expect((await rig.apply({ apps: { api: sleeper } })).code).toBe(0)
  const pid = await rig.daemonPid()
  kill(pid, 'SIGSTOP')
  const { code, of } = await diagnose(rig)
  kill(pid, 'SIGCONT')
  expect(code).toBe(7)
  expect(of('daemon.answer')).toMatchObject([
    { level: 'error', message: expect.stringContaining(`pid ${pid} was stopped`), remedy: `kill -CONT ${pid}` },
  ])
  await eventually(async () => expect((await diagnose(rig)).of('daemon.answer')).toEqual([]))
})

test('a daemon whose code was replaced underneath is to be upgraded', async () => {
  await using rig = await createRig()
  const copy = join(rig.dir, 'dist')
  cpSync(dirname(ECO), copy, { recursive: true })
  execFileSync(process.execPath, [join(copy, 'eco.cjs'), 'daemon', 'start'], { env: rig.env, stdio: 'pipe' })
  expect((await diagnose(rig)).of('daemon.program')).toEqual([])
  rmSync(copy, { recursive: true })
  expect((await diagnose(rig)).of('daemon.program')).toMatchObject([
    { level: 'warning', message: expect.stringContaining('daemon.cjs'), remedy: 'eco daemon upgrade' },
  ])
})

test('a port that another eco has is not to be freed by killing its daemon', async () => {
  await using rig = await createRig()
  await using other = await createRig()
  const port = await freePort()
  const web = { apps: { web: { script: 'server.js', listen: port, ready: { tcp: port } } } }
  for (const one of [rig, other]) one.write('server.js', SERVER)
  expect((await rig.apply(web)).code).toBe(0)
  expect((await rig.eco(['daemon', 'stop', '--apps'])).code).toBe(0)
  expect((await other.apply(web)).code).toBe(0)
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  await eventually(async () =>
    expect((await diagnose(rig)).of('ports.foreign')).toMatchObject([
      {
        message: expect.stringContaining(`for an app of the eco in ${other.home}`),
        remedy: `ECO_HOME=${other.home} eco ls`,
      },
    ]),
  )
})

test('who holds a declared port is named', async () => {
  await using rig = await createRig()
  const port = await freePort()
  rig.write('server.js', SERVER)
  expect((await rig.apply({ apps: { web: { script: 'server.js', listen: port, ready: { tcp: port } } } })).code).toBe(0)
  const [web = 0] = await rig.pids('web')
  await crash(rig)
  kill(web)
  await eventually(() => !isRunning(web))
  const pid = await occupy(rig, port)
  const { code, of } = await diagnose(rig)
  expect(code).toBe(7)
  expect(of('ports.foreign')).toMatchObject([
    {
      level: 'error',
      message: expect.stringMatching(`port ${port} of demo/default/web is taken by pid ${pid} `),
      remedy: `kill ${pid}`,
    },
  ])
  kill(pid)
  await eventually(() => !isRunning(pid))
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  await eventually(
    async () => expect((await diagnose(rig)).problems.filter(({ id }) => id.startsWith('ports'))).toEqual([]),
    20_000,
  )
})

test('what an app needs and lost: its folder, its script, its socket, its log', async () => {
  await using rig = await createRig()
  rig.write('there/keep', '')
  rig.write('app.js', 'setInterval(() => {}, 1000)')
  const socket = join(rig.dir, 'web.sock')
  rig.write('unix.js', `require('http').createServer((q, s) => s.end('ok')).listen(${JSON.stringify(socket)})`)
  const apply = await rig.apply({
    apps: {
      homeless: { ...sleeper, cwd: './there' },
      scriptless: { script: 'app.js' },
      web: { script: 'unix.js', listen: socket },
    },
  })
  expect(apply.code).toBe(0)
  expect((await diagnose(rig)).problems.filter(({ id }) => /^(?:apps|ports)/.test(id))).toEqual([])
  rmSync(join(rig.dir, 'there'), { recursive: true })
  unlinkSync(join(rig.dir, 'app.js'))
  unlinkSync(socket)
  unlinkSync(scopeFile(rig, 'logs/homeless-0.out.log'))
  const { code, of } = await diagnose(rig)
  expect(code).toBe(7)
  expect(of('apps.files').map(({ message }) => message)).toEqual([
    expect.stringContaining(`homeless: its folder ${join(rig.dir, 'there')} is gone`),
    expect.stringContaining(`scriptless: its script ${join(rig.dir, 'app.js')} is gone`),
  ])
  expect(of('ports.socket_file')).toMatchObject([
    { level: 'error', message: expect.stringContaining(`${socket} of demo/default/web was removed`) },
  ])
  expect(of('apps.logs_removed')).toMatchObject([{ message: expect.stringContaining('homeless#0') }])
})

test('another user is told that nothing can be seen, not that nothing is wrong', async (context) => {
  if (process.getuid?.() !== 0) {
    console.warn('SKIPPED: only root can be another user')
    return context.skip()
  }
  await using rig = await createRig()
  expect((await rig.apply({ apps: { api: sleeper } })).code).toBe(0)
  const root = dirname(rig.home)
  chmodSync(root, 0o711)
  cpSync(dirname(ECO), join(root, 'dist'), { recursive: true })
  const { stdout, status } = spawnSync(process.execPath, [join(root, 'dist/eco.cjs'), 'doctor', '--json'], {
    env: { ...rig.env, HOME: '/' },
    cwd: '/',
    uid: 65_534,
    gid: 65_534,
    encoding: 'utf8',
  })
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  expect(findings.filter(({ level }) => level === 'error').map(({ id }) => id)).toEqual(['home.owner'])
  expect(findings.filter(({ id }) => /^(?:daemon|state|ports|apps)/.test(id)).map(({ level }) => level)).toEqual(
    Array.from({ length: 4 }, () => 'skipped'),
  )
  expect(status).toBe(7)
})

test('an app that failed, and one that somebody stopped and forgot', async () => {
  await using rig = await createRig()
  const failing = { command: ['sh', '-c', 'echo no >&2; exit 3'], restart: { max: 0 } }
  await rig.apply({ apps: { failing, held: sleeper } })
  expect((await rig.eco(['stop', 'held'])).code).toBe(0)
  await eventually(async () => expect((await rig.app('failing')).state).toBe('failed'))
  const { code, of } = await diagnose(rig)
  expect(code).toBe(7)
  expect(of('apps.state')).toMatchObject([{ level: 'error', remedy: 'eco logs failing --project demo --env default' }])
  expect(of('apps.holds')).toEqual([])
  const holds = scopeFile(rig, 'holds.json')
  const old = Date.now() - 3 * 24 * 3_600_000
  writeFileSync(holds, readFileSync(holds, 'utf8').replace(/"at":\d+/, `"at":${old}`))
  expect((await diagnose(rig)).of('apps.holds')).toMatchObject([
    {
      level: 'warning',
      message: expect.stringContaining('for 3 days'),
      remedy: 'eco start held --project demo --env default',
    },
  ])
})

test('a disk that is nearly full', async (context) => {
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'eco-test', rig.home], { stdio: 'pipe' })
  } catch {
    console.warn('SKIPPED: mounting a tmpfs is not allowed here, so a full disk is not tested')
    return context.skip()
  }
  onTestFinished(() => void execFileSync('umount', ['-l', rig.home]))
  const roomy = await diagnose(rig)
  expect(roomy.of('home.space')).toMatchObject([{ level: 'warning' }])
  expect(roomy.of('home.file_system')).toMatchObject([{ message: expect.stringContaining('after a reboot') }])
  writeFileSync(join(rig.home, 'ballast'), Buffer.alloc(10 * 2 ** 20), { mode: 0o600 })
  const full = await diagnose(rig)
  expect(full.code).toBe(7)
  expect(full.of('home.space')).toMatchObject([{ level: 'error', remedy: `du -xh ${rig.home} | sort -h | tail` }])
})
