/**
 * Builds dist/ (docs/adr/0001): eco.cjs, the little that every command loads; program.cjs, the rest of the CLI, whose
 * parts are evaluated only when a command needs them; daemon.cjs; foreground.cjs, the supervisor inside `eco run`;
 * scribe.cjs, which writes stamped logs; preload.cjs; and the ES modules of the public API.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { bundle } from './bundle.mjs'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))

/** Small libraries that a diff needs are bundled: loading the ninety files of yaml alone costs 30 ms. */
const BUNDLED = ['commander', 'dotenv', 'yaml']

rmSync('dist', { recursive: true, force: true })
await bundle({ outdir: 'dist', version })
writeFileSync('dist/THIRD_PARTY_LICENSES.txt', BUNDLED.map(licenseOf).join('\n'))
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { stdio: 'inherit' })

function licenseOf(name) {
  const { version: of, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  return `${name} ${of} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`
}
