/** What dist/ consists of; the tests make an eco of another version in the same way. */

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

export async function bundle({ outdir, version, plugins = [] }) {
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
    outdir,
    plugins,
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

  await Promise.all([
    build({
      ...commonjs,
      entryPoints: { eco: 'src/main.ts' },
      define: common.define,
      banner: { js: '#!/usr/bin/env node' },
    }),
    build({ ...commonjs, entryPoints: { program: 'src/cli/program.ts' }, plugins: [...plugins, withoutChildProcess] }),
    build({ ...commonjs, entryPoints: { daemon: 'src/daemon/main.ts' }, define: common.define, banner: {} }),
    build({ ...commonjs, entryPoints: { foreground: 'src/foreground/main.ts' }, define: common.define, banner: {} }),
    build({
      ...commonjs,
      entryPoints: { 'stopped-copy': 'src/logs/rotate/stopped-copy-main.ts' },
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
  chmodSync(join(outdir, 'eco.cjs'), 0o755)
}
