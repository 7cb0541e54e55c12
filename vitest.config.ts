import { defineConfig } from 'vitest/config'

/**
 * Two kinds of tests. `unit` needs no build and runs in parallel. `e2e` runs the built binary with daemons and real
 * processes: two at a time at most, after the units, because a machine under full load measures itself.
 */
export default defineConfig({
  // `await using`: Node 20 and 22 do not know it yet.
  oxc: { target: 'es2022' },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['e2e', 'real', 'systemd', 'crash'].map((lane) => `test/${lane}/**`),
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/support/require-build.ts',
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
