/** Selectors: `api`, `api#1`, `worker*`, `/regex/`, `all` (DESIGN §8). Pure. */

import { EcoError } from '../errors.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { Selection } from './protocol.ts'
import { closest } from '../model/closest.ts'

export interface KnownApp {
  readonly scope: ScopeId
  readonly app: string
  readonly slots: readonly number[]
}

export interface SelectedApp {
  readonly scope: ScopeId
  readonly app: string
  /** null: every instance. */
  readonly slots: readonly number[] | null
}

/**
 * The apps a selection means, in the order they are known.
 *
 * @throws EcoError UNKNOWN_TARGET when a selector matches nothing, with the nearest name
 */
export function selectApps(known: readonly KnownApp[], selection: Selection): SelectedApp[] {
  const inScope = known.filter(
    ({ scope }) =>
      (selection.project === null || scope.project === selection.project) &&
      (selection.environment === null || scope.environment === selection.environment),
  )
  if (inScope.length === 0 && (selection.project !== null || selection.environment !== null)) {
    throw unknownScope(known, selection)
  }
  if (selection.selectors.length === 0) return inScope.map(({ scope, app }) => ({ scope, app, slots: null }))
  const selected = new Map<KnownApp, readonly number[] | null>()
  for (const selector of selection.selectors) {
    const { name, slot } = splitSlot(selector)
    const matches = matcher(name)
    const found = inScope.filter(({ app }) => matches(app))
    if (found.length === 0) throw unknownApp(selector, name, inScope)
    for (const app of found) {
      if (slot === null) selected.set(app, null)
      else if (!app.slots.includes(slot)) throw unknownInstance(app, slot)
      else if (selected.get(app) !== null) selected.set(app, [...new Set([...(selected.get(app) ?? []), slot])])
    }
  }
  return inScope.filter((app) => selected.has(app)).map((app) => ({ ...app, slots: selected.get(app) ?? null }))
}

/**
 * Refuses a selection that means apps of several scopes unless it says so: `eco stop api` must not stop production when
 * staging was meant.
 */
export function refuseAmbiguity(apps: readonly SelectedApp[], selection: Selection): void {
  const scopes = [...new Set(apps.map(({ scope }) => scopeName(scope)))]
  if (scopes.length < 2 || selection.selectors.includes('all')) return
  throw new EcoError('UNKNOWN_TARGET', `${selection.selectors.join(' ')} is in ${scopes.join(' and ')}.`, {
    hint: 'say which one with --env NAME (and --project NAME)',
  })
}

/** Whether a selector names an app: used for `--only` too. */
export function matcher(selector: string): (app: string) => boolean {
  if (selector === 'all') return () => true
  const regex = /^\/(.*)\/(i?)$/.exec(selector)
  if (regex) {
    const pattern = compile(regex[1] ?? '', regex[2] ?? '', selector)
    return (app) => pattern.test(app)
  }
  if (selector.includes('*')) {
    const pattern = new RegExp(`^${selector.split('*').map(escapeRegex).join('.*')}$`)
    return (app) => pattern.test(app)
  }
  return (app) => app === selector
}

function compile(source: string, flags: string, selector: string): RegExp {
  try {
    return new RegExp(source, flags)
  } catch (cause) {
    throw new EcoError('USAGE', `The selector ${selector} is not a valid regular expression.`, { cause })
  }
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** `api#1` names one instance. */
export function splitSlot(selector: string): { name: string; slot: number | null } {
  const match = /^(.*)#(\d+)$/.exec(selector)
  return match ? { name: match[1] ?? '', slot: Number(match[2]) } : { name: selector, slot: null }
}

function unknownApp(selector: string, name: string, known: readonly KnownApp[]): EcoError {
  const names = [...new Set(known.map(({ app }) => app))]
  const near = closest(name, names)
  const hint = near
    ? `did you mean "${near}"?`
    : names.length > 0
      ? `known apps: ${names.join(', ')}`
      : 'nothing is applied yet: eco apply'
  return new EcoError('UNKNOWN_TARGET', `No app matches "${selector}".`, { hint })
}

function unknownInstance(app: KnownApp, slot: number): EcoError {
  const known = app.slots.map((it) => `${app.app}#${it}`).join(', ') || 'none'
  return new EcoError('UNKNOWN_TARGET', `${scopeName(app.scope)} has no instance ${app.app}#${slot}.`, {
    hint: `its instances: ${known}`,
  })
}

function unknownScope(known: readonly KnownApp[], { project, environment }: Selection): EcoError {
  const scopes = [...new Set(known.map(({ scope }) => scopeName(scope)))]
  const asked = `${project ?? '*'}/${environment ?? '*'}`
  const hint = scopes.length > 0 ? `known: ${scopes.join(', ')}` : 'nothing is applied yet: eco apply'
  return new EcoError('UNKNOWN_TARGET', `Nothing is applied as ${asked}.`, { hint })
}
