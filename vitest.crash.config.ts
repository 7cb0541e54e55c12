import { defineConfig } from 'vitest/config'

/** The daemon killed at every point: `npm run test:crash`. Not part of `npm test`: it takes half an hour. */
export default defineConfig({
  oxc: { target: 'es2022' },
  test: {
    name: 'crash',
    include: ['test/crash/**/*.test.ts'],
    globalSetup: 'test/support/require-build.ts',
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
  },
})
