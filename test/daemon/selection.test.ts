import { describe, expect, test } from 'vitest'
import { EcoError } from '../../src/errors.ts'
import { type KnownApp, matcher, refuseAmbiguity, selectApps } from '../../src/daemon/selection.ts'

const STAGING = { project: 'shop', environment: 'staging' }
const PRODUCTION = { project: 'shop', environment: 'production' }

const KNOWN: KnownApp[] = [
  { scope: PRODUCTION, app: 'api', slots: [0, 1, 2] },
  { scope: PRODUCTION, app: 'api.v2', slots: [0] },
  { scope: PRODUCTION, app: 'worker-a', slots: [0, 1] },
  { scope: PRODUCTION, app: 'worker-b', slots: [0] },
  { scope: STAGING, app: 'api', slots: [0] },
]

const select = (
  selectors: string[],
  environment: string | null = 'production',
  project: string | null = null,
): string[] =>
  selectApps(KNOWN, { selectors, project, environment }).map(
    ({ scope, app, slots }) => `${scope.environment}/${app}${slots === null ? '' : `#${slots.join(',')}`}`,
  )

function refusal(work: () => unknown): EcoError {
  try {
    work()
  } catch (error) {
    if (error instanceof EcoError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('selectors', () => {
  test.each([
    [[], ['api', 'api.v2', 'worker-a', 'worker-b']],
    [['all'], ['api', 'api.v2', 'worker-a', 'worker-b']],
    [['api'], ['api']],
    [['api#1'], ['api#1']],
    [['api#1', 'api#0'], ['api#1,0']],
    [['api#1', 'api#1'], ['api#1']],
    [['api#1', 'api'], ['api']],
    [['api', 'api#1'], ['api']],
    [
      ['worker-b', 'api'],
      ['api', 'worker-b'],
    ],
    [['worker*'], ['worker-a', 'worker-b']],
    [['*-a'], ['worker-a']],
    [['*'], ['api', 'api.v2', 'worker-a', 'worker-b']],
    [['*p*i*'], ['api', 'api.v2']],
    [['worker*#0'], ['worker-a#0', 'worker-b#0']],
    [['api.*'], ['api.v2']],
    [['/^api/'], ['api', 'api.v2']],
    [['/WORKER/i'], ['worker-a', 'worker-b']],
    [['/b$/'], ['worker-b']],
    [['/worker/#0'], ['worker-a#0', 'worker-b#0']],
    [
      ['/a|b/', 'api#2'],
      ['api', 'api.v2', 'worker-a', 'worker-b'],
    ],
  ])('%j', (selectors, expected) => {
    expect(select(selectors)).toEqual(expected.map((it) => `production/${it}`))
  })

  test.each([
    ['a.b', 'axb', false],
    ['a.b', 'a.b', true],
    ['a.*', 'axx', false],
    ['a(*', 'a(b', true],
    ['[a]*', 'a', false],
    ['$*^', '$x^', true],
    ['a+*', 'aab', false],
    ['\\*', '\\x', true],
  ])('characters of regular expressions mean themselves: %s on %s', (selector, app, expected) => {
    expect(matcher(selector)(app)).toBe(expected)
  })

  test('without a scope every scope is meant', () => {
    expect(select(['api'], null)).toEqual(['production/api', 'staging/api'])
    expect(select(['api'], 'staging', 'shop')).toEqual(['staging/api'])
  })
})

describe('refusals', () => {
  test.each([
    ['aip', 'No app matches "aip".', 'did you mean "api"?'],
    ['worker-c#0', 'No app matches "worker-c#0".', 'did you mean "worker-a"?'],
    ['zzzzzz', 'No app matches "zzzzzz".', 'known apps: api, api.v2, worker-a, worker-b'],
    ['nothing*', 'No app matches "nothing*".', 'known apps: api, api.v2, worker-a, worker-b'],
    ['api#7', 'shop/production has no instance api#7.', 'its instances: api#0, api#1, api#2'],
    ['worker*#1', 'shop/production has no instance worker-b#1.', 'its instances: worker-b#0'],
  ])('%s: %s', (selector, message, hint) => {
    expect(refusal(() => select([selector]))).toMatchObject({ code: 'UNKNOWN_TARGET', message, hint })
  })

  test('one unknown name refuses the known ones too', () => {
    expect(refusal(() => select(['api', 'nope'])).code).toBe('UNKNOWN_TARGET')
  })

  test('an invalid regular expression is a mistake in the command', () => {
    expect(refusal(() => select(['/(/'])).code).toBe('USAGE')
  })

  test('an unknown scope names the known ones', () => {
    expect(refusal(() => select([], 'prod'))).toMatchObject({
      message: 'Nothing is applied as */prod.',
      hint: 'known: shop/production, shop/staging',
    })
  })

  test('where nothing is applied, all is nothing and a name is refused', () => {
    const empty = { project: null, environment: null }
    expect(selectApps([], { ...empty, selectors: [] })).toEqual([])
    expect(refusal(() => selectApps([], { ...empty, selectors: ['api'] })).hint).toBe(
      'nothing is applied yet: eco apply',
    )
  })

  test('a verb on an app of several scopes must say which, unless it says all', () => {
    const selection = (selectors: string[]) => ({ selectors, project: null, environment: null })
    const both = selectApps(KNOWN, selection(['api']))
    expect(refusal(() => refuseAmbiguity(both, selection(['api'])))).toMatchObject({
      code: 'UNKNOWN_TARGET',
      message: 'api is in shop/production and shop/staging.',
    })
    refuseAmbiguity(selectApps(KNOWN, selection(['all'])), selection(['all']))
    refuseAmbiguity(selectApps(KNOWN, selection(['worker*'])), selection(['worker*']))
  })
})
