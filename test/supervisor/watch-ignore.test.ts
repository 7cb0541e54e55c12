import { expect, test } from 'vitest'
import { ignoreRule } from '../../src/supervisor/watch-ignore.ts'

const isIgnored = ignoreRule(
  '/srv/shop',
  ['dist', '*.tmp', 'data/**', './cache/', 'src/*/generated'],
  ['/srv/shop/.eco'],
)

test.each([
  ['/srv/shop/src/a.js', false],
  ['/srv/shop/distance.js', false],
  ['/srv/shop/src/node_modules/x/y.js', true],
  ['/srv/shop/.git/index', true],
  ['/srv/shop/.gitignore', false],
  ['/srv/shop/logs/any', true],
  ['/srv/shop/src/server.log', true],
  ['/srv/shop/src/server.log.1', true],
  ['/srv/shop/src/login.js', false],
  ['/srv/shop/src/.a.js.swp', true],
  ['/srv/shop/src/a.js~', true],
  ['/srv/shop/src/4913', true],
  ['/srv/shop/packages/x/dist/a.js', true],
  ['/srv/shop/deep/x.tmp', true],
  ['/srv/shop/data/deep/x', true],
  ['/srv/shop/src/data/x', false],
  ['/srv/shop/cache/x', true],
  ['/srv/shop/src/api/generated/x.js', true],
  ['/srv/shop/src/api/deep/generated/x.js', false],
  ['/srv/shop/.eco/events.ndjson', true],
  ['/srv/shop/.ecosystem', false],
])('%s is ignored: %s', (path, expected) => {
  expect(isIgnored(path, '/srv/shop')).toBe(expected)
})

test('what lies above the watched folder does not count: a project may live below a folder named logs', () => {
  expect(ignoreRule('/home/me/logs/shop', [], [])('/home/me/logs/shop/src/a.js', '/home/me/logs/shop')).toBe(false)
})

test('a watched folder outside cwd has the same names ignored', () => {
  expect(isIgnored('/srv/shared/node_modules/x', '/srv/shared')).toBe(true)
  expect(isIgnored('/srv/shared/a.js', '/srv/shared')).toBe(false)
})
