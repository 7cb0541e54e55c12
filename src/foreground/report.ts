import { neutralise } from '../config/diagnostic.ts'
import type { EcoEvent } from '../model/events.ts'
import { prefixOf } from '../logs/prefix.ts'
import type { Outlet } from './outlet.ts'

export interface ReportStyle {
  readonly json: boolean
  readonly color: boolean
  readonly width: number
}

const DIM = 2
/** Of an event about the scope; the others say nothing that the instances do not. */
const TOLD = new Set(['apply_ended', 'steps_cancelled', 'hold_ended', 'rollout_taken_over', 'problem'])

/** What eco itself has to say, on stderr. */
export class Report {
  readonly #outlet: Outlet
  #style: ReportStyle = { json: false, color: false, width: 0 }

  constructor(outlet: Outlet) {
    this.#outlet = outlet
  }

  printAs(style: ReportStyle): void {
    this.#style = style
  }

  /** @param details further lines, with those an app wrote */
  say(
    message: string,
    about: { readonly app?: string; readonly instance?: string } = {},
    details: readonly string[] = [],
  ): void {
    const { json, color, width } = this.#style
    if (json) {
      const { app = null, instance = null } = about
      const text = [message, ...details].join('\n')
      const line = { time: new Date().toISOString(), app, instance, stream: 'eco', message: text }
      this.#outlet.write(`${JSON.stringify(line)}\n`)
      return
    }
    const prefix = prefixOf('eco', width, color ? DIM : null).toString()
    const lines = [...message.split('\n'), ...details.map((line) => `    ${line}`)]
    this.#outlet.write(lines.map((line) => `${prefix}${neutralise(line)}\n`).join(''))
  }

  tell(event: EcoEvent): void {
    switch (event.type) {
      case 'instance': {
        const { app, instance, message } = event
        return this.say(`${instance} ${message}`, { app, instance })
      }
      case 'step': {
        const { app, action, status, message } = event
        if (status === 'failed' || status === 'rolled-back' || status === 'kept' || status === 'skipped')
          this.say(`${action} ${app}: ${status}${message === null ? '' : `: ${message}`}`, { app })
        return
      }
      case 'scope':
        if (TOLD.has(event.event)) this.say(event.message)
    }
  }
}
