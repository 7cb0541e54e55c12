import type { Plugin } from 'esbuild'

export function bundle(options: {
  readonly outdir: string
  readonly version: string
  readonly plugins?: readonly Plugin[]
}): Promise<void>
