import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

/** The binary under test. Another build can be tested: ECO_BIN=/elsewhere/dist/eco.cjs. */
export const ECO = process.env['ECO_BIN'] ?? join(ROOT, 'dist/eco.cjs')
