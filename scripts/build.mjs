/**
 * Builds dist/: one small CommonJS file for what every command loads, one for the daemon, one for the preload, and
 * code-split ES modules for everything a command loads only when it needs it (docs/adr/0001).
 */

import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
rmSync('dist', { recursive: true, force: true })

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: false,
  logLevel: 'warning',
  define: { ECO_VERSION: JSON.stringify(version) },
}

await Promise.all([
  build({
    ...common,
    entryPoints: { eco: 'src/main.ts' },
    format: 'cjs',
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    // The rest of the CLI is loaded by import(), from beside this file.
    external: ['./program.js'],
    banner: { js: '#!/usr/bin/env node' },
  }),
  build({ ...common, entryPoints: { daemon: 'src/daemon/main.ts' }, format: 'cjs', outdir: 'dist', outExtension: { '.js': '.cjs' } }),
  build({
    ...common,
    entryPoints: { preload: 'src/preload/preload.ts' },
    target: 'node18',
    format: 'cjs',
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
  }),
  build({
    ...common,
    entryPoints: {
      program: 'src/cli/program.ts',
      index: 'src/index.ts',
      'evaluate-worker': 'src/config/evaluate-worker.ts',
      'bench-api': 'src/bench-api.ts',
    },
    format: 'esm',
    splitting: true,
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
  }),
])
chmodSync('dist/eco.cjs', 0o755)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { stdio: 'inherit' })
