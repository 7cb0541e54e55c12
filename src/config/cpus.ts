/** A CFS quota of one cgroup level: so much CPU time in each period. */
export interface CpuQuota {
  readonly quotaUs: number
  readonly periodUs: number
}

/**
 * CPUs that a process may really use: what its affinity allows, cut to the tightest cgroup quota, and at least one.
 *
 * @param affinity CPUs in the affinity mask
 */
export function usableCpus(affinity: number, quotas: readonly CpuQuota[]): number {
  const limits = quotas.map(({ quotaUs, periodUs }) => quotaUs / periodUs)
  return Math.max(1, Math.floor(Math.min(affinity, ...limits)))
}

/** `max` is one instance for each CPU, `50%` that share of them rounded up, anything else the number it says. */
export function countInstances(instances: number | string, cpus: () => number): number {
  if (instances === 'max') return cpus()
  const [, percent] = /^(\d+)%$/.exec(String(instances)) ?? []
  return percent === undefined ? Number(instances) : Math.max(1, Math.ceil((Number(percent) * cpus()) / 100))
}

/** A file that says how much CPU a cgroup may use. v1 keeps quota and period apart. */
export type QuotaFiles =
  | { readonly version: 2; readonly max: string }
  | { readonly version: 1; readonly quota: string; readonly period: string }

/**
 * The quota files that apply to a process: of its own cgroup and of each one above it, as any of them can be tighter.
 *
 * @param cgroup    text of /proc/self/cgroup
 * @param mountinfo text of /proc/self/mountinfo
 */
export function quotaFiles(cgroup: string, mountinfo: string): QuotaFiles[] {
  const files: QuotaFiles[] = []
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root = '', mountPoint = ''] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    const isCpuV1 = type === 'cgroup' && options.split(',').includes('cpu')
    if (type !== 'cgroup2' && !isCpuV1) continue
    const own = ownPath(cgroup, isCpuV1 ? 'cpu' : '')
    if (own === null) continue
    for (const folder of foldersUp(mountPoint, relativeTo(root, own))) {
      if (isCpuV1)
        files.push({ version: 1, quota: `${folder}/cpu.cfs_quota_us`, period: `${folder}/cpu.cfs_period_us` })
      else files.push({ version: 2, max: `${folder}/cpu.max` })
    }
  }
  return files
}

/** `150000 100000` of cgroup v2; `max` means no limit. */
export function parseCpuMax(text: string): CpuQuota | null {
  return quota(text.trim().split(' '))
}

/** Quota and period of cgroup v1; -1 means no limit. */
export function parseCfsQuota(quotaText: string, periodText: string): CpuQuota | null {
  return quota([quotaText.trim(), periodText.trim()])
}

function quota([quotaText = '', periodText = '100000']: readonly string[]): CpuQuota | null {
  const [quotaUs, periodUs] = [Number(quotaText), Number(periodText)]
  return quotaUs > 0 && periodUs > 0 ? { quotaUs, periodUs } : null
}

/** The path of a process within a hierarchy: `0::/path` in v2, `4:cpu,cpuacct:/path` in v1. */
function ownPath(cgroup: string, controller: string): string | null {
  for (const line of cgroup.split('\n')) {
    const [id = '', controllers = '', ...path] = line.split(':')
    const matches = controller === '' ? id === '0' && controllers === '' : controllers.split(',').includes(controller)
    if (matches) return path.join(':')
  }
  return null
}

/** In a container the mount's root is the container's own cgroup. */
function relativeTo(root: string, own: string): string {
  if (root === '/' || root === '') return own
  return own === root || own.startsWith(`${root}/`) ? own.slice(root.length) : ''
}

function foldersUp(mountPoint: string, own: string): string[] {
  const parts = own.split('/').filter((part) => part !== '' && part !== '..')
  return parts.map((_, index) => [mountPoint, ...parts.slice(0, parts.length - index)].join('/')).concat(mountPoint)
}
