/** kill -9 of the daemon under load, then a command. What it costs is measured by lib/daemon-ends.mjs. */

import { measureEnds } from '../lib/daemon-ends.mjs'

export const rounds = 3

const kill = async (contestant) => process.kill(await contestant.daemonPid(), 'SIGKILL')

export function run(bench) {
  return measureEnds(bench, { port: 18_470, instances: 2, ends: { eco: kill, pm2: kill } })
}
