/** `eco daemon upgrade` and `pm2 update` under load. What that costs is measured by lib/daemon-ends.mjs. */

import { measureEnds } from '../lib/daemon-ends.mjs'

export const rounds = 3

export function run(bench) {
  const ends = { eco: (eco) => eco.cli('daemon', 'upgrade'), pm2: (pm2) => pm2.cli('update') }
  return measureEnds(bench, { port: 18_480, instances: 2, ends })
}
