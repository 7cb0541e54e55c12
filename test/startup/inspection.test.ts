import { expect, test } from 'vitest'
import { type InspectedService, type Inspection, judgeUnits } from '../../src/startup/inspection.ts'

const SERVICE: InspectedService = {
  scope: 'user',
  title: 'eco.service',
  path: '/home/alice/.config/systemd/user/eco.service',
  written: {
    version: '1.0.0',
    home: '/home/alice/.eco',
    node: '/n/v20/node',
    daemon: '/n/daemon.cjs',
    ownsLinger: true,
  },
  hasNode: true,
  hasDaemon: true,
  isEnabled: true,
  isActive: true,
  status: 'systemctl --user status eco.service',
}
const ALL_WELL: Inspection = {
  init: 'systemd',
  version: '1.0.0',
  user: 'alice',
  isRoot: false,
  isLingering: true,
  services: [SERVICE],
}

function judged(service: Partial<InspectedService>, more: Partial<Inspection> = {}): string[] {
  const findings = judgeUnits({ ...ALL_WELL, ...more, services: [{ ...SERVICE, ...service }] })
  return findings.map(({ level, message, remedy }) => `${level}: ${message} -> ${remedy}`)
}

test.each([
  [{}, {}, ['ok: eco.service starts the daemon at boot (/home/alice/.config/systemd/user/eco.service) -> null']],
  [
    { hasNode: false, isActive: false },
    {},
    ['problem: eco.service starts /n/v20/node, which is gone (was Node or eco upgraded?) -> eco startup --user'],
  ],
  [
    { hasNode: false, hasDaemon: false, scope: 'system' as const },
    {},
    [
      'problem: eco.service starts /n/v20/node and /n/daemon.cjs, which is gone (was Node or eco upgraded?) -> eco startup',
    ],
  ],
  [{ isEnabled: false }, {}, ['problem: eco.service is not started at boot -> eco startup --user']],
  [
    {},
    { isLingering: false },
    [
      'problem: eco.service starts only when alice logs in, and its apps end with the last logout -> sudo loginctl enable-linger alice',
    ],
  ],
  [
    { scope: 'system' as const },
    { isLingering: false },
    ['ok: eco.service starts the daemon at boot (/home/alice/.config/systemd/user/eco.service) -> null'],
  ],
  [
    { isActive: false },
    { version: '1.1.0' },
    [
      'warning: eco.service does not run; "systemctl --user status eco.service" says why -> eco startup --user',
      'warning: eco.service was written by eco 1.0.0, this is 1.1.0 -> eco startup --user',
    ],
  ],
])('%j %j', (service, more, findings) => expect(judged(service, more)).toEqual(findings))

test('none, and too many', () => {
  expect(judgeUnits({ ...ALL_WELL, services: [] })).toMatchObject([{ level: 'warning', remedy: 'eco startup --user' }])
  expect(judgeUnits({ ...ALL_WELL, services: [], isRoot: true })).toMatchObject([{ remedy: 'eco startup' }])
  expect(judgeUnits({ ...ALL_WELL, init: null, services: [] })).toMatchObject([{ level: 'ok' }])
  const twice = judgeUnits({ ...ALL_WELL, services: [SERVICE, { ...SERVICE, scope: 'system' }] })
  expect(twice).toMatchObject([{ level: 'warning', remedy: 'eco unstartup' }])
})
