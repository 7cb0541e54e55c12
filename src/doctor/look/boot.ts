import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { parseUnit } from '../unit-file.ts'

export interface UnitFacts {
  readonly path: string
  readonly scope: 'system' | 'user'
  /** ECO_HOME of its daemon; null: the default of its user. */
  readonly home: string | null
  /** User of its daemon; null: root, or the owner of a user unit. */
  readonly user: string | null
  /** Files that its command names and that are not there. */
  readonly missing: readonly string[]
  readonly isEnabled: boolean
  /** Whether cgroups are given to it. */
  readonly delegates: boolean
}

export interface BootFacts {
  /** systemd runs this machine. */
  readonly isSystemd: boolean
  readonly units: readonly UnitFacts[]
  readonly user: string
  /** User units run without somebody logged in. */
  readonly lingers: boolean
}

export function lookAtBoot(): BootFacts {
  const user = userName()
  const folders = [
    ['system', '/etc/systemd/system'],
    ['user', join(process.env['XDG_CONFIG_HOME'] || join(process.env['HOME'] || homedir(), '.config'), 'systemd/user')],
  ] as const
  return {
    isSystemd: existsSync('/run/systemd/system'),
    units: folders.flatMap(([scope, folder]) => unitsIn(folder, scope)),
    user,
    lingers: existsSync(join('/var/lib/systemd/linger', user)),
  }
}

function unitsIn(folder: string, scope: 'system' | 'user'): UnitFacts[] {
  const names = namesIn(folder).filter((name) => /^eco\b.*\.service$/.test(name))
  return names.flatMap((name) => {
    const path = join(folder, name)
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch {
      return [] // a link to nowhere, or not for us
    }
    const { command, environment, user, delegates } = parseUnit(text)
    const missing = command.filter((part) => part.startsWith('/') && !/\s/.test(part) && !existsSync(part))
    const wants = namesIn(folder).filter((it) => it.endsWith('.wants') || it.endsWith('.requires'))
    const isEnabled = wants.some((it) => namesIn(join(folder, it)).includes(name))
    return [{ path, scope, home: environment['ECO_HOME'] ?? null, user, missing, isEnabled, delegates }]
  })
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return process.env['USER'] ?? '' // a number without an entry
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
