/**
 * Builds dist/ (docs/adr/0001): eco.cjs, the little that every command loads; program.cjs, the rest of the CLI, whose
 * parts are evaluated only when a command needs them; daemon.cjs; foreground.cjs, the supervisor inside `eco run`;
 * preload.cjs; and the ES modules of the public API.
 */

import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))

/** Small libraries that a diff needs are bundled: loading the ninety files of yaml alone costs 30 ms. */
const BUNDLED = ['commander', 'dotenv', 'yaml']

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  external: ['execa', 'listr2', 'jiti', 'croner'],
  // Names stay, so that stack traces can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  outdir: 'dist',
  define: { ECO_VERSION: JSON.stringify(version) },
}

const commonjs = {
  ...common,
  format: 'cjs',
  // Code from V8's cache cannot import(); Node 20.19 can require ES modules (execa, listr2).
  supported: { 'dynamic-import': false },
  outExtension: { '.js': '.cjs' },
  define: { ...common.define, 'import.meta.url': '__bundle_url' },
  banner: { js: 'const __bundle_url = require("node:url").pathToFileURL(__filename).href;' },
}

/** commander starts other programs only for a feature eco does not use: loading child_process for it costs 4 ms. */
const withoutChildProcess = {
  name: 'commander-without-child-process',
  setup(it) {
    it.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /node_modules\/commander\//.test(importer) ? { path: 'unused', namespace: 'unused' } : undefined,
    )
    it.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }))
  },
}

rmSync('dist', { recursive: true, force: true })
await Promise.all([
  build({
    ...commonjs,
    entryPoints: { eco: 'src/main.ts' },
    define: common.define,
    banner: { js: '#!/usr/bin/env node' },
  }),
  build({ ...commonjs, entryPoints: { program: 'src/cli/program.ts' }, plugins: [withoutChildProcess] }),
  build({ ...commonjs, entryPoints: { daemon: 'src/daemon/main.ts' }, define: common.define, banner: {} }),
  build({
    ...commonjs,
    entryPoints: { foreground: 'src/foreground/main.ts' },
    define: common.define,
    banner: {},
  }),
  build({ ...commonjs, entryPoints: { preload: 'src/preload/preload.ts' }, target: 'node18', banner: {} }),
  build({
    ...common,
    format: 'esm',
    entryPoints: {
      index: 'src/index.ts',
      'evaluate-worker': 'src/config/evaluate-worker.ts',
      'bench-api': 'src/bench-api.ts',
    },
  }),
])
chmodSync('dist/eco.cjs', 0o755)
writeFileSync('dist/THIRD_PARTY_LICENSES.txt', BUNDLED.map(licenseOf).join('\n'))
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { stdio: 'inherit' })

function licenseOf(name) {
  const { version: of, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  return `${name} ${of} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`
}
