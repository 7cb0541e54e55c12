import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recallTree, rememberTree } from '../../src/config/parse-cache.ts'
import { parseYaml } from '../../src/config/parse-yaml.ts'

const FILE = '/somewhere/ecosystem.yaml'
const TEXT = 'apps:\n  api: { command: [sleep, "1"], env: { A: 1.5, B: true, C: null } }\n'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eco-cache-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function parse(text: string): ReturnType<typeof parseYaml> {
  return parseYaml(text, (_at, message) => expect.unreachable(message))
}

test('what is recalled is what was parsed, positions and all', () => {
  const tree = parse(TEXT)
  rememberTree(folder, FILE, TEXT, tree)
  expect(recallTree(folder, FILE, TEXT)).toEqual(tree)
})

test('another text is not recalled, be it one character', () => {
  rememberTree(folder, FILE, TEXT, parse(TEXT))
  expect(recallTree(folder, FILE, TEXT.replace('sleep', 'slerp'))).toBeNull()
})

test('a damaged entry is parsed again', () => {
  rememberTree(folder, FILE, TEXT, parse(TEXT))
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    writeFileSync(path, readFileSync(path).subarray(0, 40))
  }
  expect(recallTree(folder, FILE, TEXT)).toBeNull()
})

test('a file with a secret written into it is not kept', () => {
  const secret = 'apps:\n  api: { command: [sleep], env: { KEY: { value: hunter2, secret: true } } }\n'
  rememberTree(folder, FILE, secret, parse(secret))
  expect(readdirSync(folder)).toEqual([])
})
