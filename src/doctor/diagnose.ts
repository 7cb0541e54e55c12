import { VERSION } from '../version.ts'
import { type Area, error, type Finding } from './finding.ts'
import { judgeDaemon } from './judge/daemon.ts'
import { judgeHome } from './judge/home.ts'
import { lookAtDaemon } from './look/daemon.ts'
import { lookAtHome } from './look/home.ts'
import { lookAtListeners } from './look/listeners.ts'
import { lookAtOpenFiles } from './look/open-files.ts'

/**
 * Looks at this machine and this ECO_HOME. Starts nothing and changes nothing.
 *
 * @returns the findings, in the order of AREAS
 */
export async function diagnose(home: string): Promise<Finding[]> {
  const me = process.geteuid?.() ?? 0
  const files = lookAtOpenFiles()
  const listeners = lookAtListeners(files)
  const daemon = await lookAtDaemon(home, listeners)
  const live = 0
  return [
    ...judged('home', () => judgeHome(lookAtHome(home))),
    ...judged('daemon', () => judgeDaemon(daemon, VERSION, live, me)),
  ]
}

/** A check that fails itself must not hide what the others have found. */
function judged(area: Area, judge: () => Finding[]): Finding[] {
  try {
    return judge()
  } catch (failure) {
    const { message } = failure as Error
    return [error(`${area}.check`, `This could not be checked: ${message}`, null)]
  }
}
