import { diagnose } from '../../doctor/diagnose.ts'
import type { Finding } from '../../doctor/finding.ts'
import { describeFix, fixAll, type Fixed } from '../../doctor/fix.ts'
import { EXIT, type ExitCode } from '../../errors.ts'
import { ecoHome } from '../../state/paths.ts'
import { VERSION } from '../../version.ts'
import { doctorText } from '../doctor-text.ts'
import { terminalOptions } from '../render-plan.ts'

export interface DoctorOptions {
  readonly verbose?: boolean
  readonly fix?: boolean
  readonly json?: boolean
}

/** @returns 0 when nothing is an error, 7 when something is: a person is needed */
export async function doctor(options: DoctorOptions): Promise<ExitCode> {
  const home = ecoHome()
  const before = await diagnose(home)
  const fixed = options.fix === true ? fixAll(before) : []
  const findings = fixed.length > 0 ? await diagnose(home) : before
  if (options.json === true) process.stdout.write(`${JSON.stringify(report(home, findings, fixed))}\n`)
  else {
    for (const { fix, failure } of fixed)
      process.stderr.write(`${describeFix(fix)}${failure === null ? '' : `: not done: ${failure}`}\n`)
    if (options.fix === true && fixed.length === 0) process.stderr.write('There is nothing that --fix mends.\n')
    const view = { ...terminalOptions(), verbose: options.verbose === true }
    process.stdout.write(`eco ${VERSION}, Node ${process.versions.node}, ${home}\n\n${doctorText(findings, view)}`)
  }
  return findings.some(({ level }) => level === 'error') ? EXIT.needsPerson : EXIT.ok
}

/** A contract, only ever extended. */
function report(home: string, findings: readonly Finding[], fixed: readonly Fixed[]): object {
  const of = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length
  return {
    format_version: '1.0',
    version: VERSION,
    home,
    summary: { error: of('error'), warning: of('warning'), ok: of('ok'), skipped: of('skipped') },
    findings: findings.map(({ id, level, message, details, remedy, fixes }) => ({
      id,
      level,
      message,
      details,
      remedy,
      fixes: fixes.map(describeFix),
    })),
    fixed: fixed.map(({ fix, failure }) => ({ fix: describeFix(fix), failure })),
  }
}
