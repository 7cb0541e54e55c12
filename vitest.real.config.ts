import { defineConfig } from 'vitest/config'

/**
 * Real applications under eco: `npm run test:real`. Not part of `npm test`: the first run installs 700 MB.
 * Nothing else runs meanwhile, and two files at a time at most: what is measured is the app, not the machine.
 */
export default defineConfig({
  oxc: { target: 'es2022' },
  test: {
    name: 'real',
    include: ['test/real/**/*.test.ts'],
    globalSetup: ['test/support/require-build.ts', 'test/real/install.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
})
