import { watchFile } from 'node:fs'
import { callOrStart } from '../../daemon/ensure.ts'
import type { LogFile, Selection } from '../../daemon/protocol.ts'
import { neutralise } from '../../config/diagnostic.ts'
import { lastLines, readNewLines, type TailPosition, tailEnd } from '../../logs/tail.ts'
import { ecoHome } from '../../state/paths.ts'

export interface LogsOptions {
  readonly lines: number
  readonly follow?: boolean
  readonly err?: boolean
  readonly out?: boolean
  readonly json?: boolean
}

const FOLLOW_MS = 200

/** `eco logs`: the end of each file, one prefix an instance; with --follow what comes after it too. */
export async function logs(selection: Selection, options: LogsOptions): Promise<void> {
  const { files } = await callOrStart('logs', selection, { home: ecoHome() })
  const shown = files.filter(({ stream }) =>
    options.err === options.out ? true : stream === (options.err === true ? 'err' : 'out'),
  )
  const width = Math.max(0, ...shown.map(({ instance }) => instance.length))
  const print = (file: LogFile, line: string): void => {
    const { instance, stream } = file
    if (options.json === true) process.stdout.write(`${JSON.stringify({ ...file.scope, instance, stream, line })}\n`)
    else process.stdout.write(`${instance.padEnd(width)} ${stream === 'err' ? '!' : '|'} ${neutralise(line)}\n`)
  }
  const positions = new Map<LogFile, TailPosition>()
  for (const file of shown) {
    positions.set(file, tailEnd(file.path))
    for (const line of lastLines(file.path, options.lines)) print(file, line)
  }
  if (options.follow !== true) return
  for (const [file, position] of positions) {
    watchFile(file.path, { interval: FOLLOW_MS }, () => {
      for (const line of readNewLines(position)) print(file, line)
    })
  }
}
