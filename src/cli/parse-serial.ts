import { EcoError } from '../errors.ts'

/** @throws EcoError USAGE */
export function parseSerial(text: string, command: string): number {
  const serial = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (serial > 0) return serial
  throw new EcoError('USAGE', `${JSON.stringify(text)} is no serial: a revision has a number, from 1 on.`, {
    hint: command === 'eco history' ? 'eco history lists them' : `eco history lists them; then: ${command} SERIAL`,
  })
}
