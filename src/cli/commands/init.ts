import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { EcoError } from '../../errors.ts'

/** `eco init`: a first ecosystem.yaml, for the app that package.json tells of when there is one. */
export function init(dir: string, force: boolean): void {
  const folder = resolve(dir)
  const file = join(folder, 'ecosystem.yaml')
  if (existsSync(file) && !force) {
    throw new EcoError('USAGE', `${file} exists already.`, { hint: 'eco validate checks it; --force replaces it' })
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, template(folder))
  process.stdout.write(`Wrote ${file}\nNext: eco validate ${dir === '.' ? '' : file}`.trimEnd() + ', then eco apply\n')
}

interface PackageJson {
  readonly name?: string
  readonly main?: string
  readonly scripts?: Readonly<Record<string, string>>
}

function template(folder: string): string {
  const manifest = readManifest(folder)
  const project =
    (manifest?.name ?? basename(folder)).replace(/^@[^/]*\//, '').replace(/[^A-Za-z0-9._-]/g, '-') || 'app'
  return `# yaml-language-server: $schema=./node_modules/eco-orchestrator/schemas/ecosystem.schema.json
# Check it: eco validate · see what would happen: eco diff · make it so: eco apply · any key: eco explain KEY
project: ${project}

apps:
  app:
    ${program(folder, manifest)}
    # instances: 2              # copies; with "listen" they share one port
    # listen: 3000              # eco binds it once, and it stays bound while the app is replaced
    # ready: { http: /healthz } # when a copy counts as ready; a bad build never replaces a good one
    env:
      NODE_ENV: development

environments:
  production:
    apps:
      app:
        env: { NODE_ENV: production }
`
}

function program(folder: string, manifest: PackageJson | null): string {
  if (manifest?.scripts?.['start']) return 'command: [npm, start]'
  const entry = [manifest?.main, 'server.js', 'index.js', 'app.js', 'dist/index.js'].find(
    (file) => file !== undefined && existsSync(join(folder, file)),
  )
  return entry === undefined
    ? 'command: [sh, -c, "while :; do date; sleep 5; done"]   # your program'
    : `script: ${entry}`
}

function readManifest(folder: string): PackageJson | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson
  } catch {
    return null
  }
}
