/** Fields whose name in the file is not simply their path in snake_case without the unit. */
const NAMES: Readonly<Record<string, string>> = {
  'ready.check': 'ready',
  'readiness.check': 'readiness',
  'health.check': 'health',
  'limits.memoryBytes': 'limits.memory',
  restartsWith: 'depends_on.*.restart',
}

/** Spec fields that are not in the file: what is in them stands one level higher there, or under another name. */
const GROUPS: ReadonlyArray<readonly [prefix: string, inFile: string]> = [
  ['schedule.cron', 'schedule'],
  ['schedule.', ''],
  ['job.', ''],
  ['attributes.rlimits.', 'ulimits.'],
  ['attributes.', ''],
  ['output.', 'logs.'],
  ['rotation.method', 'logs.rotation'],
  ['rotation.', 'logs.'],
]

/** Behind these stands a word of the user. */
const VERBATIM: ReadonlyArray<readonly [prefix: string, inFile: string]> = [
  ['env.', 'env.'],
  ['dependsOn.', 'depends_on.'],
  ['inputs.', 'inputs.'],
]

/** The name a field has in the ecosystem file: `stop.timeoutMs` is `stop.timeout`, `dependsOn.redis` `depends_on.redis`. */
export function fieldName(path: string): string {
  const known = NAMES[path]
  if (known !== undefined) return known
  for (const [prefix, inFile] of VERBATIM) if (path.startsWith(prefix)) return inFile + path.slice(prefix.length)
  const group = GROUPS.find(([prefix]) => path.startsWith(prefix))
  const inFile = group ? group[1] + path.slice(group[0].length) : path
  return inFile
    .replace(/^(hooks\.\w+|rollout\.check)\.command$/, '$1.run')
    .replaceAll(/Ms\b|Bytes\b/g, '')
    .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
