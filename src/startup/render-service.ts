import { renderLaunchd } from './launchd-plist.ts'
import { renderOpenrc } from './openrc-script.ts'
import type { InitName, Service } from './service.ts'
import { renderUnit } from './systemd-unit.ts'

/** The text of a service file. Pure. */
export function renderService(init: InitName, service: Service): string {
  switch (init) {
    case 'systemd':
      return renderUnit(service)
    case 'openrc':
      return renderOpenrc(service)
    case 'launchd':
      return renderLaunchd(service)
  }
}
