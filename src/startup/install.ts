import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { EcoError } from '../errors.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { whoWrote } from './find-services.ts'
import { type Owner, type ServiceFile, serviceFile } from './init-system.ts'
import { isLingering } from './linger.ts'
import { renderService } from './render-service.ts'
import { runCommand } from './run-command.ts'
import type { InitName, Service } from './service.ts'

export interface Installed {
  readonly file: ServiceFile
  readonly text: string
  /** What was done, a sentence each; nothing when all was so already. */
  readonly done: readonly string[]
  /** What only root may do; null: nothing is left. */
  readonly leftToRoot: readonly string[] | null
}

/** The service as it would be installed, and the text of its file. */
export function planInstall(init: InitName, service: Omit<Service, 'ownsLinger'>, owner: Owner): Planned {
  const file = serviceFile(init, service.scope, service.name, owner)
  const before = whoWrote(file.path)
  const isLingered = isLingering(service.user)
  const ownsLinger =
    init === 'systemd' &&
    service.scope === 'user' &&
    (before === null || before === 'foreign' ? isLingered === false : before.ownsLinger)
  return {
    file,
    before,
    text: renderService(init, { ...service, ownsLinger }),
    service,
    needsLinger: ownsLinger && !isLingered,
  }
}

export interface Planned {
  readonly file: ServiceFile
  readonly before: ReturnType<typeof whoWrote>
  readonly text: string
  readonly service: Omit<Service, 'ownsLinger'>
  readonly needsLinger: boolean
}

/**
 * Writes the service, has it started at boot, and starts it now: its daemon takes over from one that runs already.
 *
 * @throws EcoError GUARD when the file there is not ours, or when the init system refuses
 */
export function install({ file, before, text, service, needsLinger }: Planned): Installed {
  refuseForeign(file, before, service)
  const done: string[] = []
  // First: without it there may be no systemd of the user that the rest could be told to.
  const leftToRoot = needsLinger ? linger(service.user, done) : null
  const isSame = before !== null && before !== 'foreign' && readFileSync(file.path, 'utf8') === text
  if (!isSame) {
    mkdirSync(dirname(file.path), { recursive: true })
    writeFileAtomic(file.path, text, true)
    chmodSync(file.path, file.mode)
    done.push(`wrote ${file.path}`)
    for (const argv of file.reload) must(argv, file)
  }
  if (file.isEnabled === null || runCommand(file.isEnabled).code !== 0) {
    for (const argv of file.enable) must(argv, file)
    done.push(`${file.title} starts at boot`)
  }
  if (runCommand(file.isActive).code !== 0) {
    for (const argv of file.start) must(argv, file)
    done.push(`started ${file.title}`)
  } else if (!isSame) {
    for (const argv of file.restart) must(argv, file)
    done.push(`restarted ${file.title}; the apps were left alone`)
  }
  return { file, text, done, leftToRoot }
}

const NO_BUS = /connect to (?:user scope )?bus/

/** @throws EcoError GUARD */
export function must(argv: readonly string[], { scope, status }: ServiceFile): void {
  const { code, text } = runCommand(argv)
  if (code === 0) return
  const shown = runCommand(status).text
  throw new EcoError('GUARD', `"${argv.join(' ')}" failed with exit code ${code}.`, {
    details: [...text.split('\n'), ...(shown === text ? [] : shown.split('\n'))].filter(Boolean).slice(0, 25),
    hint:
      scope === 'user' && NO_BUS.test(text)
        ? `your own systemd does not run, or cannot be found: "sudo loginctl enable-linger ${userInfo().username}", log in anew (su does not do), then run the same command again`
        : `mend that, then run the same command again; "${status.join(' ')}" shows more`,
  })
}

function refuseForeign(file: ServiceFile, before: Planned['before'], { home, name }: Planned['service']): void {
  if (before === null) return
  if (before === 'foreign') {
    throw new EcoError('GUARD', `${file.path} is there, and eco did not write it; nothing was done.`, {
      hint: `choose another name (--name ${name}-apps), or move it away`,
    })
  }
  if (before.home !== home) {
    throw new EcoError('GUARD', `${file.path} is for another ECO_HOME, ${before.home}; nothing was done.`, {
      hint: `choose another name: --name ${name}-2`,
    })
  }
}

/** @returns what root must do, when we may not */
function linger(user: string, done: string[]): readonly string[] | null {
  if (runCommand(['loginctl', '--no-ask-password', 'enable-linger']).code !== 0)
    return ['loginctl', 'enable-linger', user]
  done.push(`${user}'s systemd runs from boot on (lingering)`)
  return null
}
