import type { Listen } from './spec.ts'

/** Whether two listeners cannot both be bound: `0.0.0.0:3000` overlaps `127.0.0.1:3000`. */
export function overlaps(a: Listen, b: Listen): boolean {
  if (a.type === 'unix' || b.type === 'unix') return a.type === 'unix' && b.type === 'unix' && a.path === b.path
  if (a.port !== b.port) return false
  const [first, second] = [normalHost(a.host), normalHost(b.host)]
  return first === second || first === '*' || second === '*'
}

function normalHost(host: string | null): string {
  if (host === null || host === '0.0.0.0' || host === '::') return '*'
  return host === 'localhost' ? '127.0.0.1' : host.toLowerCase()
}
