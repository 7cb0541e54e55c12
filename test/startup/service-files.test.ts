import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { accountIn } from '../../src/startup/accounts.ts'
import { findServices, whoWrote } from '../../src/startup/find-services.ts'
import { nameOfFile, serviceFile } from '../../src/startup/init-system.ts'
import { readMark, writeMark } from '../../src/startup/mark.ts'
import { renderService } from '../../src/startup/render-service.ts'
import { NEEDS_MENDING, type Service, START_SCRIPT } from '../../src/startup/service.ts'
import { stableNode } from '../../src/startup/stable-path.ts'

const dir = mkdtempSync(join(tmpdir(), 'eco-startup-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const SERVICE: Service = {
  name: 'eco-alice',
  scope: 'system',
  user: 'alice',
  version: '1.2.3',
  home: '/home/alice/.eco',
  node: '/usr/bin/node',
  daemon: '/opt/eco/daemon.cjs',
  ownsLinger: false,
  systemdVersion: 252,
}

function lines(service: Partial<Service> = {}): string[] {
  return renderService('systemd', { ...SERVICE, ...service }).split('\n')
}

test('what is asked for is in the unit', () => {
  expect(lines()).toEqual(
    expect.arrayContaining([
      'Type=notify',
      'NotifyAccess=all',
      'User=alice',
      'Environment="ECO_HOME=/home/alice/.eco" ECO_UNIT=system/eco-alice.service',
      'Restart=always',
      'KillMode=process',
      'Delegate=yes',
      'WatchdogSec=30s',
      'WantedBy=multi-user.target',
      'RequiresMountsFor="/home/alice/.eco"',
    ]),
  )
})

test('a unit of a user starts with his systemd, and asks that one whether it goes down', () => {
  const unit = lines({ scope: 'user', name: 'eco' })
  expect(unit).toContain('WantedBy=default.target')
  expect(unit.filter((line) => /^(User|After|RequiresMountsFor)=/.test(line))).toEqual([])
  expect(unit.find((line) => line.startsWith('ExecStop='))).toMatch(/^ExecStop=-\/bin\/sh .*systemctl --user is-system/)
  // Of the system: as root, whoever the daemon runs as.
  expect(lines().find((line) => line.startsWith('ExecStop='))).toMatch(/^ExecStop=\+-\/bin\/sh .*\(systemctl is-system/)
})

test.each([
  [null, false],
  [252, false],
  [254, true],
  [257, true],
])('systemd %s: the daemon in a cgroup of its own: %s', (systemdVersion, has) => {
  expect(lines({ systemdVersion }).includes('DelegateSubgroup=supervisor')).toBe(has)
})

/** As systemd reads the words of a setting (systemd.syntax(7)): quotes, backslashes, then specifiers, then variables. */
function words(setting: string): string[] {
  const found = [...setting.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)]
  return found.map(([, quoted, bare]) => {
    const text = quoted === undefined ? (bare ?? '') : quoted.replaceAll(/\\(.)/g, '$1')
    return text.replaceAll('%%', '%').replaceAll('$$', '$')
  })
}

test('any path comes through the quoting of systemd', () => {
  const path = fc
    .string({ minLength: 1, unit: fc.constantFrom(...'aB/ .-%$"\'\\{}()&<>;#é'.split('')) })
    .map((it) => `/${it}`)
  fc.assert(
    fc.property(path, path, (node, daemon) => {
      const start = lines({ node, daemon }).find((line) => line.startsWith('ExecStart=')) ?? ''
      expect(words(start.slice('ExecStart='.length))).toEqual(['/bin/sh', '-c', START_SCRIPT, 'eco', node, daemon])
    }),
  )
})

test.each(['systemd', 'openrc', 'launchd'] as const)(
  '%s: eco knows its own files again, whatever the paths',
  (init) => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.boolean(), (home, node, ownsLinger) => {
        const { version, daemon } = SERVICE
        const text = renderService(init, { ...SERVICE, home, node, ownsLinger })
        expect(readMark(text)).toEqual({ version, home, node, daemon, ownsLinger })
      }),
    )
  },
)

test.each([
  '',
  '[Service]\nExecStart=/bin/true\n',
  '# eco-startup: {}\n',
  '# eco-startup: {"home":\n',
  '# eco-startup: null',
])('not written by eco: %j', (text) => expect(readMark(text)).toBe(null))

test('two dashes would end an XML comment', () => {
  expect(writeMark({ ...SERVICE, home: '/a--b->c' })).not.toContain('--')
})

test('the script of OpenRC is one that a shell reads', () => {
  const service = { ...SERVICE, home: "/srv/it's here/$HOME", node: '/usr/bin/node' }
  const script = renderService('openrc', service)
  const read = execFileSync('sh', ['-c', `${script}\neval "printf '%s|' $command_args"; echo "$ECO_HOME"`], {
    encoding: 'utf8',
  })
  expect(read.trim()).toBe(`-c|${START_SCRIPT}|eco|/usr/bin/node|/opt/eco/daemon.cjs|/srv/it's here/$HOME`)
})

test('the plist of launchd escapes what XML needs', () => {
  const plist = renderService('launchd', { ...SERVICE, home: '/Users/a&b/<eco>' })
  expect(plist).toContain('<key>ECO_HOME</key><string>/Users/a&amp;b/&lt;eco&gt;</string>')
  expect(plist).toContain('<key>UserName</key><string>alice</string>')
  expect(renderService('launchd', { ...SERVICE, scope: 'user' })).not.toContain('UserName')
})

test('what is missing is named, and is no reason to try again', () => {
  const run = (...args: string[]): { status: number; stderr: string } => {
    try {
      execFileSync('sh', ['-c', START_SCRIPT, 'eco', ...args], {
        env: { PATH: process.env['PATH'], ECO_HOME: dir },
        stdio: 'pipe',
      })
      return { status: 0, stderr: '' }
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer }
      return { status, stderr: stderr.toString() }
    }
  }
  const missing = run(process.execPath, '/no where/daemon.cjs')
  expect(missing.status).toBe(NEEDS_MENDING)
  expect(missing.stderr).toContain('eco: /no where/daemon.cjs is gone')
  const script = join(dir, 'its own.cjs')
  writeFileSync(script, 'process.exit(7)')
  expect(run(process.execPath, script).status).toBe(7)
})

test('the services of an ECO_HOME are found, and nobody else’s', () => {
  const owner = { uid: 1000, home: join(dir, 'home') }
  const mine = serviceFile('systemd', 'user', 'mine', owner)
  mkdirSync(dirname(mine.path), { recursive: true })
  writeFileSync(mine.path, renderService('systemd', { ...SERVICE, home: '/a' }))
  writeFileSync(join(dirname(mine.path), 'other.service'), renderService('systemd', { ...SERVICE, home: '/b' }))
  writeFileSync(join(dirname(mine.path), 'theirs.service'), '[Service]')
  mkdirSync(join(dirname(mine.path), 'mine.service.d'))
  expect(findServices('systemd', '/a', owner).map(({ file }) => file.path)).toEqual([mine.path])
  expect(whoWrote(join(dirname(mine.path), 'theirs.service'))).toBe('foreign')
  expect(whoWrote(join(dirname(mine.path), 'none.service'))).toBe(null)
})

test.each([
  ['systemd', 'eco.service', 'eco'],
  ['systemd', 'eco.service.d', null],
  ['openrc', 'eco-alice', 'eco-alice'],
  ['launchd', 'eco.eco.plist', 'eco'],
  ['launchd', 'com.apple.plist', null],
] as const)('%s: %s is the service %s', (init, file, name) => expect(nameOfFile(init, file)).toBe(name))

test('a name of Node that outlives an upgrade is preferred', () => {
  const brew = (path: string): string | null =>
    path === '/opt/homebrew/bin/node' ? '/opt/homebrew/Cellar/node/22/bin/node' : null
  expect(stableNode('/opt/homebrew/Cellar/node/22/bin/node', brew)).toBe('/opt/homebrew/bin/node')
  expect(stableNode('/home/a/.nvm/versions/node/v22/bin/node', brew)).toBe('/home/a/.nvm/versions/node/v22/bin/node')
})

test('accounts are found by name and by uid', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\nbroken\n'
  expect(accountIn(passwd, 'alice')).toEqual({ name: 'alice', uid: 1000, home: '/home/alice' })
  expect(accountIn(passwd, '0')).toEqual({ name: 'root', uid: 0, home: '/root' })
  expect(accountIn(passwd, 'broken')).toBe(null)
})
