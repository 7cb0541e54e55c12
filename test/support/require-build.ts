import { existsSync } from 'node:fs'
import { ECO } from './binary.ts'

/** The end-to-end tests run what users run: the built binary. */
export function setup(): void {
  if (!existsSync(ECO)) throw new Error(`${ECO} does not exist. Run "npm run build" first, or "npm test", which does.`)
}
