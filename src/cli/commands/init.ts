import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fitName } from '../../config/build-desired.ts'
import { EXTENSIONS } from '../../config/locate.ts'
import { EcoError } from '../../errors.ts'

/** `eco init`: a first ecosystem.yaml, for the app that package.json tells of when there is one. */
export function init(dir: string, force: boolean): void {
  const folder = resolve(dir)
  const file = join(folder, 'ecosystem.yaml')
  const existing = EXTENSIONS.map((extension) => join(folder, `ecosystem.${extension}`)).find((it) => existsSync(it))
  if (existing !== undefined && !(force && existing === file)) {
    const hint = existing === file ? 'eco validate checks it; --force replaces it' : 'eco validate checks it'
    throw new EcoError('USAGE', `${existing} exists already.`, { hint })
  }
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, template(folder))
  } catch (error) {
    throw new EcoError('USAGE', `Cannot write ${file}: ${(error as Error).message}`, { cause: error })
  }
  process.stdout.write(`Wrote ${file}\nNext: eco validate ${dir === '.' ? '' : file}`.trimEnd() + ', then eco apply\n')
}

interface PackageJson {
  readonly name?: string
  readonly main?: string
  readonly scripts?: Readonly<Record<string, string>>
}

function template(folder: string): string {
  const manifest = readManifest(folder)
  const named = typeof manifest?.name === 'string' ? manifest.name.replace(/^@[^/]*\//, '') : basename(folder)
  const project = yamlName(fitName(named))
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

/** Quoted where YAML would read a number, a boolean or null. */
function yamlName(name: string): string {
  return /^[A-Za-z][\w-]*$/.test(name) && !/^(true|false|null)$/i.test(name) ? name : JSON.stringify(name)
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
