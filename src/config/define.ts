import type { Ecosystem } from './ecosystem.ts'

/** What a TS/JS ecosystem file may export. */
export type EcosystemExport =
  | Ecosystem
  | Promise<Ecosystem>
  | ((context: { readonly env: string | null }) => Ecosystem | Promise<Ecosystem>)

/**
 * Types an ecosystem file and returns it as it is: an object, a function of `{ env }` (the environment's name, null
 * without `--env`), or a promise of either's result.
 */
export function defineEcosystem<T extends EcosystemExport>(config: T): T {
  return config
}
