import { type Inspection, judgeUnits } from '../../startup/inspection.ts'
import { error, type Finding, ok, skipped, warning } from '../finding.ts'

/** @param applied whether anything is to come back after a boot */
export function judgeBoot(inspection: Inspection, applied: boolean): Finding[] {
  const { init, services } = inspection
  if (services.length === 0) {
    if (init === null)
      return [skipped('boot.unit', 'no init system that eco knows runs here; what starts it is not looked for')]
    if (!applied) return [skipped('boot.unit', 'nothing is applied that would have to come back')]
  }
  return judgeUnits(inspection).map(({ level, message, remedy }) => {
    if (level === 'ok') return ok('boot.unit', message)
    return level === 'problem' ? error('boot.unit', message, remedy) : warning('boot.unit', message, remedy)
  })
}
