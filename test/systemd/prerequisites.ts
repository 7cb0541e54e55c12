import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Why no machine can be booted here; null: one can. */
export function whyNoMachine(): string | null {
  if (process.platform !== 'linux') return 'it is for Linux'
  if (process.getuid?.() !== 0) return 'it needs root'
  for (const program of ['systemd-nspawn', 'mmdebstrap']) {
    if (spawnSync(program, ['--version']).error)
      return `${program} is not installed (packages systemd-container, mmdebstrap)`
  }
  if (suite() === null) return '/etc/os-release names no Debian or Ubuntu release'
  return aptSources().length === 0 ? 'apt has no sources' : null
}

/** The release of this machine: its mirrors have that one for sure. */
export function suite(): string | null {
  const line = /^VERSION_CODENAME="?(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))
  return line?.[1] ?? null
}

/** The files that say where apt gets the distribution from; not those of third parties. */
export function aptSources(): string[] {
  const own = ['/etc/apt/sources.list', ...['debian', 'ubuntu'].map((it) => `/etc/apt/sources.list.d/${it}.sources`)]
  return own.filter((file) => existsSync(file) && /^\s*(deb |URIs:)/m.test(readFileSync(file, 'utf8')))
}

/** Mount points of the cgroup trees in which a machine gets a cgroup of its own. */
export function cgroupTrees(): string[] {
  const trees = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'].filter((it) => existsSync(`${it}/cgroup.procs`))
  if (trees.length > 0) return trees
  return existsSync('/sys/fs/cgroup') && readdirSync('/sys/fs/cgroup').includes('cgroup.procs')
    ? ['/sys/fs/cgroup']
    : []
}
