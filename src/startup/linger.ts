import { existsSync } from 'node:fs'

/** Whether the user's systemd runs from boot on, and beyond the last logout; null: there is no logind that knows. */
export function isLingering(user: string): boolean | null {
  if (!existsSync('/run/systemd/system')) return null
  return existsSync(`/var/lib/systemd/linger/${user}`)
}
