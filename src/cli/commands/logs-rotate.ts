import { basename } from 'node:path'
import { callOrStart } from '../../daemon/ensure.ts'
import { bytes } from '../../daemon/listing-text.ts'
import type { RotatedLog, Selection } from '../../daemon/protocol.ts'
import { EXIT } from '../../errors.ts'
import { ecoHome } from '../../state/paths.ts'

/** `eco logs rotate`: what is in the log files goes to archives. @returns the exit code */
export async function logsRotate(selection: Selection, json: boolean): Promise<number> {
  const { files } = await callOrStart('rotateLogs', selection, { home: ecoHome() })
  if (json) process.stdout.write(`${JSON.stringify({ format_version: '1.0', files })}\n`)
  else for (const file of files) process.stdout.write(`${sentence(file)}\n`)
  return files.some(({ result }) => result === 'refused' || result === 'failed') ? EXIT.needsPerson : EXIT.ok
}

/** Exact where a rounded number would say nothing. */
export function amount(size: number): string {
  return size < 1024 ? `${size} bytes` : bytes(size)
}

function sentence({ instance, stream, result, path, archive, bytes: size, method, reason }: RotatedLog): string {
  const what = `${instance} ${stream}`
  if (result === 'rotated') {
    const loss = method === 'copytruncate' ? '; lines written meanwhile are lost (copytruncate)' : ''
    return `${what}  rotated, ${amount(size)} to ${basename(archive ?? '')}${loss}`
  }
  return result === 'empty' ? `${what}  empty` : `${what}  not rotated: ${reason}: ${path}`
}
