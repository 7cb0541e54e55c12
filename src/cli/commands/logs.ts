import type { Selection } from '../../daemon/protocol.ts'
import { EXIT, type ExitCode } from '../../errors.ts'
import type { StoredEvent } from '../../model/events.ts'
import { ecoHome } from '../../state/paths.ts'
import { findMoment, scopesOf } from '../logs/find-event.ts'
import { EventTails } from '../logs/event-tails.ts'
import { Follow } from '../logs/follow.ts'
import { type HistoryRequest, showHistory } from '../logs/history.ts'
import { findStreams, isMeant, type LogStream } from '../logs/log-files.ts'
import { openStream } from '../logs/open-stream.ts'
import { Printer } from '../logs/printer.ts'
import { type LogQuery, type LogsOptions, parseQuery } from '../logs/query.ts'
import { Sink } from '../logs/sink.ts'
import { wantsColor } from '../terminal.ts'

/** `eco logs`: what apps wrote and what happened to them in between, and what comes. */
export async function logs(selection: Selection, options: LogsOptions): Promise<ExitCode> {
  const home = ecoHome()
  const now = Date.now()
  const asked = parseQuery(options, now)
  process.once('SIGINT', () => process.exit(0))
  const streams = (await findStreams(home, selection)).filter((it) => isMeant(it, asked))
  if (streams.length === 0) {
    explainNothing(selection)
    return EXIT.ok
  }
  const { query, meant } = aroundMoment(home, asked, streams, now)
  const sink = new Sink()
  const color = wantsColor(process.stdout)
  const printer = new Printer(sink, { ...query, color, isTerminal: process.stdout.isTTY === true })
  printer.know(streams)
  // Before anything is read: what happens meanwhile is told afterwards.
  const tails = new EventTails(home, selection)
  const former: [stream: LogStream, fd: number, offset: number][] = []
  const opened = streams.flatMap((stream) => {
    const replaced = (fd: number, offset: number): void => {
      if (follow === null) former.push([stream, fd, offset])
      else follow.keepFormer(stream, fd, offset)
    }
    return openStream(home, stream, query.follow ? replaced : undefined) ?? []
  })
  let follow: Follow | null = null
  const request: HistoryRequest = { home, selection, query, meant, opened, lasts: tails.lasts, printer, sink }
  const sources = await showHistory(request)
  if (!query.follow) return opened.length < streams.length ? EXIT.internal : EXIT.ok
  follow = new Follow(request, tails, sources)
  for (const it of former) follow.keepFormer(...it)
  return follow.run()
}

function aroundMoment(
  home: string,
  query: LogQuery,
  streams: readonly LogStream[],
  now: number,
): { readonly query: LogQuery; readonly meant: StoredEvent | null } {
  if (query.around === null) return { query, meant: null }
  const { at, event } = findMoment(home, query.around, scopesOf(streams), now)
  return { query: { ...query, since: at - query.windowMs, until: at + query.windowMs }, meant: event }
}

function explainNothing({ selectors }: Selection): void {
  const text =
    selectors.length === 0
      ? 'No app has a log: nothing is applied, or all output is discarded.\n  hint: eco ls; eco apply\n'
      : `${selectors.join(' ')}: no log file; the output is discarded.\n  hint: eco describe ${selectors.join(' ')}\n`
  process.stderr.write(text)
}
