import type { Selection } from '../../daemon/protocol.ts'
import { matcher, splitSlot } from '../../daemon/selection.ts'
import { EcoError } from '../../errors.ts'
import { closest } from '../../model/closest.ts'
import type { StoredEvent } from '../../model/events.ts'
import { type ScopeId, scopeName } from '../../model/ids.ts'
import { EventTail, latest, mergeByTime, storedEvents } from '../../state/event-reader.ts'
import { knownScopes } from '../../state/event-files.ts'
import { ecoHome } from '../../state/paths.ts'
import { eventText } from '../event-text.ts'
import { parseMoment } from '../parse-moment.ts'
import type { EventsOptions } from '../program.ts'
import { eventMatcher, isSelected } from '../select-events.ts'
import { terminalWidth, wantsColor } from '../terminal.ts'

const FOLLOW_MS = 100
const SHOWN = 100
const SHOWN_BEFORE_FOLLOWING = 10

/** `eco events`: read from the files, so it needs no daemon, and following it outlives one. */
export async function events(selection: Selection, options: EventsOptions): Promise<void> {
  const home = ecoHome()
  const now = Date.now()
  const [since, until] = [parseMoment(options.since, now, '--since'), parseMoment(options.until, now, '--until')]
  const follow = options.follow === true
  if (follow && until !== null) throw new EcoError('USAGE', '--follow has no end, and --until names one.')
  const limit = options.limit ?? (since !== null ? null : follow ? SHOWN_BEFORE_FOLLOWING : SHOWN)
  const matches = eventMatcher(selection.selectors)
  const query = { since, until, limit, matches }
  const scopes = knownScopes(home).filter((scope) => isSelected(scope, selection))
  const tails = new Map<string, EventTail>()
  const stored = scopes.map((scope) => {
    const { events: found, last } = storedEvents(home, scope, query)
    tails.set(scopeName(scope), new EventTail(home, scope, last))
    return found
  })
  const print = printer(options.json === true, scopes.length > 1)
  const shown = mergeByTime(stored)
  print(limit === null ? shown : latest(shown, limit))
  if (shown.length === 0 && !follow) return explainNothing(home, selection, scopes)
  if (!follow) return hintAt(shown, options.json === true)
  // The write before may not have been taken by a slow pipe yet; whatever has been read is printed.
  process.once('SIGINT', () => process.exit(0))
  for (;;) {
    for (const scope of knownScopes(home)) {
      const name = scopeName(scope)
      // A scope that is new has nothing that was seen.
      if (isSelected(scope, selection) && !tails.has(name)) tails.set(name, new EventTail(home, scope, 0))
    }
    print(mergeByTime([...tails.values()].map((tail) => tail.next())).filter(matches))
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS))
  }
}

const WRONG: ReadonlySet<string> = new Set(['failed', 'restarting', 'fault', 'killed', 'left'])

/** Where something went wrong, the next question is what the app said. */
function hintAt(shown: readonly StoredEvent[], json: boolean): void {
  const last = shown.findLast(({ event }) => WRONG.has(event))
  if (last === undefined || json || process.stdout.isTTY !== true) return
  const [project, environment] = last.scope.split('/')
  const scope = new Set(shown.map(({ scope: it }) => it)).size > 1 ? ` --project ${project} --env ${environment}` : ''
  process.stderr.write(`hint: eco logs ${last.app} --around ${last.seq}${scope} shows what it wrote about then\n`)
}

function printer(json: boolean, scope: boolean): (events: readonly StoredEvent[]) => void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `eco events | head`: the reader has seen enough.
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })
  const color = wantsColor(process.stdout)
  return (found) => {
    if (found.length === 0) return
    const width = terminalWidth(process.stdout)
    const text = found.map((event) => (json ? `${JSON.stringify(event)}\n` : eventText(event, { color, width, scope })))
    process.stdout.write(text.join(''))
  }
}

/** An empty answer is one of two things: nothing happened, or nothing has that name. */
function explainNothing(home: string, selection: Selection, scopes: readonly ScopeId[]): void {
  const all = { since: null, until: null, limit: null, matches: () => true }
  const apps = new Set(scopes.flatMap((scope) => storedEvents(home, scope, all).events.flatMap(({ app }) => app ?? [])))
  for (const selector of selection.selectors) {
    const { name } = splitSlot(selector)
    if (name === 'all' || [...apps].some(matcher(name))) continue
    const near = closest(name, [...apps])
    throw new EcoError('UNKNOWN_TARGET', `No event is about "${selector}".`, {
      hint: near ? `did you mean "${near}"?` : apps.size > 0 ? `apps with events: ${[...apps].join(', ')}` : undefined,
    })
  }
  process.stderr.write('No events.\n')
}
