import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../src')

/** Who may import whom (ARCHITECTURE.md). Files at the top of src/ are their own folder. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  model: [],
  errors: [],
  version: [],
  config: ['model', 'errors', 'version'],
  planner: ['model', 'errors'],
  engine: ['model', 'errors', 'supervisor', 'logs'],
  executor: ['model', 'errors', 'engine'],
  supervisor: ['model', 'errors', 'logs'],
  secrets: ['errors'],
  logs: ['model', 'errors', 'state'],
  state: ['model', 'errors', 'supervisor'],
  startup: ['errors', 'state'],
  daemon: [
    'startup',
    'model',
    'errors',
    'planner',
    'executor',
    'engine',
    'supervisor',
    'state',
    'secrets',
    'logs',
    'version',
  ],
  doctor: ['startup', 'model', 'errors', 'version', 'supervisor', 'state', 'secrets', 'logs', 'daemon'],
  foreground: ['model', 'errors', 'config', 'daemon', 'engine', 'supervisor', 'state', 'logs', 'version'],
  cli: [
    'startup',
    'doctor',
    'foreground',
    'model',
    'errors',
    'config',
    'planner',
    'executor',
    'daemon',
    'state',
    'secrets',
    'logs',
    'version',
  ],
  scribe: ['model', 'errors', 'version', 'logs', 'state', 'supervisor', 'daemon'],
  preload: [],
  main: ['cli', 'state', 'load-program'],
  'load-program': ['cli', 'state'],
  index: ['config'],
  'bench-api': ['planner', 'model', 'logs'],
}

/** The CLI talks to the daemon through its client; these are the files both sides share. */
const DAEMON_FOR_CLI = ['client.ts', 'ensure.ts', 'protocol.ts', 'listing-text.ts', 'selection.ts']

/** One package, one home. */
const HOMES: Readonly<Record<string, string>> = {
  yaml: 'config/ cli/commands/config.ts',
  dotenv: 'config/',
  jiti: 'config/',
  commander: 'cli/program.ts',
  listr2: 'cli/progress.ts',
  execa: 'cli/git-revision.ts',
  croner: 'config/build-schedule.ts engine/local/scheduler.ts',
}

interface Import {
  readonly from: string
  readonly to: string
}

const imports = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const source = readFileSync(join(SRC, file), 'utf8')
    const specifiers = source.matchAll(/^(?:import|export|\}) .*?from '([^']+)'|\bimport\('([^']+)'\)/gm)
    return [...specifiers].map((match): Import => ({ from: file, to: match[1] ?? match[2] ?? '' }))
  })

test('folders import only what lies below them', () => {
  const wrong = imports
    .filter(({ to }) => to.startsWith('.') && to.endsWith('.ts'))
    .map(({ from, to }) => ({ from, to: relative(SRC, join(SRC, from, '..', to)) }))
    .filter(({ from, to }) => {
      const [own, other] = [folderOf(from), folderOf(to)]
      return own !== other && !ALLOWED[own]?.includes(other)
    })
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('the CLI and the doctor reach the daemon only through its client', () => {
  const wrong = imports
    .filter(({ from, to }) => ['cli', 'doctor'].includes(folderOf(from)) && to.includes('/daemon/'))
    .filter(({ to }) => !DAEMON_FOR_CLI.some((file) => to.endsWith(`/daemon/${file}`)))
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('of the state the logs know where files are, and how one is replaced', () => {
  const wrong = imports
    .filter(({ from, to }) => folderOf(from) === 'logs' && to.includes('/state/'))
    .filter(({ to }) => !/\/state\/(paths|atomic-file)\.ts$/.test(to))
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('of the daemon the scribe knows how a socket is claimed', () => {
  const wrong = imports
    .filter(({ from, to }) => folderOf(from) === 'scribe' && to.includes('/daemon/'))
    .filter(({ to }) => !to.endsWith('/daemon/claim.ts'))
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('of the supervisor inside eco run the CLI knows the contract only', () => {
  const wrong = imports
    .filter(({ from, to }) => folderOf(from) === 'cli' && to.includes('/foreground/'))
    .filter(({ to }) => !to.endsWith('/foreground/contract.ts'))
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('a package is imported in its one home', () => {
  const wrong = imports
    .filter(({ to }) => !to.startsWith('.') && !to.startsWith('node:'))
    .filter(({ from, to }) => !HOMES[to]?.split(' ').some((home) => from.startsWith(home)))
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

function folderOf(file: string): string {
  const [first = ''] = file.split('/')
  return first.replace(/\.ts$/, '')
}
