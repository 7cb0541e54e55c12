import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseCfsQuota, parseCpuMax, quotaFiles, usableCpus } from './cpus.ts'
import type { CpuQuota, QuotaFiles } from './cpus.ts'

/** The CPUs this process may use, by its affinity and the CPU quota of its cgroup (v1 or v2). */
export function readCpus(): number {
  const quotas = quotaFiles(read('/proc/self/cgroup'), read('/proc/self/mountinfo')).map(readQuota)
  return usableCpus(
    availableParallelism(),
    quotas.filter((quota) => quota !== null),
  )
}

function readQuota(files: QuotaFiles): CpuQuota | null {
  return files.version === 2 ? parseCpuMax(read(files.max)) : parseCfsQuota(read(files.quota), read(files.period))
}

/** Empty where there is no such file: no cgroups, no Linux, no limit. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
