import { error, type Finding, ok, skipped, warning, word } from '../finding.ts'
import type { BootFacts, UnitFacts } from '../look/boot.ts'

/**
 * @param home ECO_HOME that is looked at
 * @param ownDefault the one of this user when nothing else is said
 * @param applied whether anything is to come back after a boot
 */
export function judgeBoot(facts: BootFacts, home: string, ownDefault: string, applied: boolean): Finding[] {
  const units = facts.units.filter((unit) => (unit.home ?? defaultOf(unit, facts, ownDefault)) === home)
  if (units.length > 0) return units.flatMap((unit) => judgeUnit(unit, facts))
  if (!facts.isSystemd)
    return [skipped('boot.unit', 'there is no systemd here; what starts eco at boot is not looked for')]
  if (!applied) return [skipped('boot.unit', 'nothing is applied that would have to come back')]
  return [warning('boot.unit', 'After a reboot nothing starts the apps again', 'eco startup')]
}

function defaultOf(unit: UnitFacts, { user }: BootFacts, ownDefault: string): string | null {
  const isOwn = unit.scope === 'user' || (unit.user ?? 'root') === user
  return isOwn ? ownDefault : null
}

function judgeUnit(unit: UnitFacts, { lingers, user }: BootFacts): Finding[] {
  const { path, scope, missing, isEnabled, delegates } = unit
  const name = path.slice(path.lastIndexOf('/') + 1)
  const systemctl = scope === 'user' ? 'systemctl --user' : 'sudo systemctl'
  const again = scope === 'user' ? 'eco startup --user' : 'eco startup'
  return [
    missing.length > 0
      ? error(
          'boot.unit',
          `${path} starts what is not there any more: ${missing.join(', ')}. After a reboot nothing runs`,
          again,
        )
      : ok('boot.unit', `${path} starts eco`),
    isEnabled
      ? ok('boot.enabled', 'it is enabled')
      : warning('boot.enabled', `${name} is not enabled: it does not start at boot`, `${systemctl} enable ${name}`),
    delegates
      ? ok('boot.delegate', 'it may make cgroups (Delegate=yes)')
      : warning('boot.delegate', `${name} does not have Delegate=yes: apps get no cgroups of their own`, again),
    ...(scope === 'system' || lingers
      ? []
      : [
          warning(
            'boot.linger',
            `${name} starts when ${user} logs in, and ends after the last session: linger is off`,
            `sudo loginctl enable-linger ${word(user)}`,
          ),
        ]),
  ]
}
