import { callOrStart } from '../../daemon/ensure.ts'
import type { FlushedLog, Selection } from '../../daemon/protocol.ts'
import { EXIT } from '../../errors.ts'
import { ecoHome } from '../../state/paths.ts'
import { confirm } from '../confirm.ts'
import { amount } from './logs-rotate.ts'

/** `eco logs flush`: the log files are emptied, their archives removed. @returns the exit code */
export async function logsFlush(selection: Selection, options: { json: boolean; confirmed: boolean }): Promise<number> {
  const home = ecoHome()
  if (!options.confirmed) {
    const { files } = await callOrStart('logs', selection, { home })
    const instances = [...new Set(files.map(({ instance }) => instance))]
    await confirm(`Remove all that ${instances.join(', ')} logged, with the archives?`)
  }
  const { files } = await callOrStart('flushLogs', selection, { home })
  if (options.json) process.stdout.write(`${JSON.stringify({ format_version: '1.0', files })}\n`)
  else for (const file of files) process.stdout.write(`${sentence(file)}\n`)
  return files.every(({ result }) => result === 'flushed') ? EXIT.ok : EXIT.needsPerson
}

function sentence({ instance, stream, result, path, bytes: size, archives, reason }: FlushedLog): string {
  const what = `${instance} ${stream}`
  if (result !== 'flushed') return `${what}  not emptied: ${reason}: ${path}`
  const old = archives === 0 ? '' : archives === 1 ? ', with 1 archive' : `, with ${archives} archives`
  return size === 0 ? `${what}  was empty` : `${what}  ${amount(size)} removed${old}`
}
