import { defineConfig } from 'vitest/config'

/**
 * eco on machines with a real systemd: `npm run test:systemd`. Needs root, systemd-nspawn and mmdebstrap (packages
 * systemd-container, mmdebstrap), and 500 MB in the folder of temporary files. Not part of `npm test`.
 */
export default defineConfig({
  oxc: { target: 'es2022' },
  test: {
    name: 'systemd',
    include: ['test/systemd/**/*.test.ts'],
    globalSetup: ['test/support/require-build.ts', 'test/systemd/base-image.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
