/** The public API: what a TypeScript ecosystem file and programs around eco import. */

export { defineEcosystem } from './config/define.ts'
export type { App, Ecosystem, Environment, EnvValue } from './config/ecosystem.ts'
