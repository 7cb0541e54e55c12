/** Fields whose name in the file is not simply their path in snake_case without the unit. */
const NAMES: Readonly<Record<string, string>> = {
  'ready.check': 'ready',
  'schedule.cron': 'schedule',
  'schedule.timezone': 'timezone',
  'schedule.overlap': 'overlap',
  'schedule.missed': 'missed',
  'schedule.history': 'history',
  'job.retries': 'retries',
  'job.run': 'run',
  'job.timeoutMs': 'timeout',
}

/** The name a field has in the ecosystem file: `stop.timeoutMs` is `stop.timeout`, `dependsOn.redis` `depends_on.redis`. */
export function fieldName(path: string): string {
  if (path.startsWith('env.') || path.startsWith('inputs.')) return path
  if (path.startsWith('dependsOn.')) return `depends_on.${path.slice('dependsOn.'.length)}`
  const name = path.replaceAll(/Ms\b/g, '').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return NAMES[path] ?? name
}
