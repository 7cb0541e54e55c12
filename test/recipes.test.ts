/** docs/recipes.md shows files that the lane of real apps runs: the same, to the letter. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../docs/recipes.md', import.meta.url), 'utf8')
const recipes = [...page.matchAll(/^```yaml\n# (fixtures\/\S+)\n([^]*?)^```$/gm)]

test('every yaml on the page names its file', () => {
  expect(recipes.length).toBeGreaterThan(0)
  expect(recipes).toHaveLength(page.split('```yaml').length - 1)
})

test.each(recipes.map(([, path = '', text = '']) => ({ path, text })))('$path is shown as it is', ({ path, text }) => {
  expect(text).toBe(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'))
})
