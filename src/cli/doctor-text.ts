/** The findings of `eco doctor` for people: what is well on one line for each area, the rest with what to type. Pure. */

import { AREAS, type Area, areaOf, type Finding, type Level } from '../doctor/finding.ts'
import { type Color, createStyle, type Style } from '../planner/text-style.ts'

const TITLES: Readonly<Record<Area, string>> = {
  home: 'ECO_HOME',
  daemon: 'Daemon',
  state: 'State',
  node: 'Node',
  boot: 'Start at boot',
  cgroups: 'Cgroups',
  limits: 'Limits',
  ports: 'Ports',
  apps: 'Apps',
  logs: 'Logs',
}

const MARKS: Readonly<Record<Level, { readonly mark: string; readonly ascii: string; readonly color: Color }>> = {
  ok: { mark: '✓', ascii: 'ok', color: 'green' },
  warning: { mark: '!', ascii: '! ', color: 'yellow' },
  error: { mark: '✗', ascii: 'X ', color: 'red' },
  skipped: { mark: '·', ascii: '- ', color: 'dim' },
}
const WORST: readonly Level[] = ['error', 'warning', 'ok', 'skipped']
const TITLE_WIDTH = Math.max(...Object.values(TITLES).map((title) => title.length))

export interface DoctorView {
  readonly color: boolean
  readonly ascii: boolean
  /** What is well, too. */
  readonly verbose: boolean
}

export function doctorText(findings: readonly Finding[], view: DoctorView): string {
  const style = createStyle(view)
  const lines = AREAS.flatMap((area) => {
    const own = findings.filter((finding) => areaOf(finding) === area)
    return own.length === 0 ? [] : [heading(area, own, view, style), ...bodyOf(own, view, style)]
  })
  return [...lines, '', summary(findings, view), ''].join('\n')
}

function heading(area: Area, findings: readonly Finding[], view: DoctorView, style: Style): string {
  const worst = WORST.find((level) => findings.some((finding) => finding.level === level)) ?? 'ok'
  const problems = findings.filter(isProblem).length
  const [first] = findings
  const only = findings.length === 1 && problems === 0 && !view.verbose ? first?.message : undefined
  const checks = findings.length === 1 ? '1 check' : `${findings.length} checks`
  const text = only ?? (problems === 0 ? checks : `${problems} of ${checks}`)
  return `${mark(worst, view, style)} ${TITLES[area].padEnd(TITLE_WIDTH)}  ${style.paint('dim', style.clean(text))}`
}

function bodyOf(findings: readonly Finding[], view: DoctorView, style: Style): string[] {
  return findings
    .filter((finding) => view.verbose || isProblem(finding))
    .flatMap((finding) => {
      const { level, message, details, remedy } = finding
      const more = details.map((line) => `      ${style.paint('dim', style.clean(line))}`)
      const arrow = view.ascii ? '->' : '→'
      const next = remedy === null ? [] : [`      ${style.paint('cyan', `${arrow} ${style.clean(remedy)}`)}`]
      return [`  ${mark(level, view, style)} ${style.clean(message)}`, ...more, ...next]
    })
}

function summary(findings: readonly Finding[], { verbose }: DoctorView): string {
  const of = (level: Level): number => findings.filter((finding) => finding.level === level).length
  const [errors, warnings, fine, skipped] = [of('error'), of('warning'), of('ok'), of('skipped')]
  const fixable = findings.filter(({ fixes }) => fixes.length > 0).length
  const parts = [
    errors === 1 ? '1 error' : `${errors} errors`,
    warnings === 1 ? '1 warning' : `${warnings} warnings`,
    `${fine} fine`,
    ...(skipped > 0 ? [`${skipped} not applicable`] : []),
  ]
  const ways = [...(verbose ? [] : ['--verbose shows all']), ...(fixable > 0 ? [`--fix mends ${fixable} of them`] : [])]
  const found = errors + warnings === 0 ? 'Nothing is wrong: ' : ''
  return `${found}${parts.join(', ')}${ways.length > 0 ? ` (${ways.join('; ')})` : ''}`
}

function mark(level: Level, { ascii }: DoctorView, style: Style): string {
  const { mark: unicode, ascii: plain, color } = MARKS[level]
  return style.paint(color, ascii ? plain : unicode)
}

function isProblem({ level }: Finding): boolean {
  return level === 'error' || level === 'warning'
}
