/** An eco of another version: this source, built with other numbers, as a release before or after it would have them. */

import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import { bundle } from '../../scripts/bundle.mjs'
import { ROOT } from './binary.ts'

export interface OtherVersion {
  readonly version: string
  /** Parts of source files, and what stands in their place. */
  readonly changes?: readonly Change[]
}

export interface Change {
  /** In src/. */
  readonly file: string
  readonly from: string
  readonly to: string
}

export const protocol = (number: number): Change => {
  return { file: 'daemon/protocol.ts', from: 'export const PROTOCOL = 1', to: `export const PROTOCOL = ${number}` }
}

export const minProtocol = (number: number): Change => {
  return {
    file: 'daemon/protocol.ts',
    from: 'export const MIN_PROTOCOL = 1',
    to: `export const MIN_PROTOCOL = ${number}`,
  }
}

/** @returns its eco.cjs */
export async function buildEco(dir: string, { version, changes = [] }: OtherVersion): Promise<string> {
  const root = join(dir, version)
  const outdir = join(root, 'dist')
  mkdirSync(outdir, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  const unused = new Set(changes)
  const plugin: Plugin = {
    name: 'other-version',
    setup: (it) => {
      for (const file of new Set(changes.map((change) => change.file))) {
        it.onLoad({ filter: new RegExp(`/src/${file.replaceAll('.', '\\.')}$`) }, ({ path }) => {
          let contents = readFileSync(path, 'utf8')
          for (const change of changes.filter((one) => one.file === file)) {
            if (!contents.includes(change.from)) throw new Error(`${file} has no "${change.from}"`)
            contents = contents.replace(change.from, change.to)
            unused.delete(change)
          }
          return { contents, loader: 'ts' }
        })
      }
    },
  }
  await bundle({ outdir, version, plugins: [plugin] })
  if (unused.size > 0) throw new Error(`not used: ${[...unused].map(({ file }) => file).join(', ')}`)
  return join(outdir, 'eco.cjs')
}
