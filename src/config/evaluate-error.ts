import { fileURLToPath } from 'node:url'
import type { Span } from './tree.ts'

/** Frames of a stack that belong to the config: not Node's, not jiti's, not our worker's. */
export function ownFrames(stack: string): string[] {
  return stack
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) => line.startsWith('at ') && !/node:|[\\/]jiti[\\/]|evaluate-worker|<anonymous>|\bnative\b/.test(line),
    )
    .map((line) => line.replace(/file:\/\/[^\s):]+/, (url) => fileURLToPath(url)))
}

/** The first place in `file` that a stack, or a compiler's message, names. */
export function positionIn(stack: string, file: string, source: string): Span | null {
  for (const frame of ownFrames(stack)) {
    const [, line, column] = frame.includes(file) ? (/:(\d+):(\d+)\)?$/.exec(frame) ?? []) : []
    if (line !== undefined && column !== undefined) return spanAt(source, Number(line), Number(column))
  }
  return null
}

/**
 * Where a syntax error is. jiti's compiler says so in its message; Node's `import()` does not, so `node --check` is asked.
 */
export async function explainSyntaxError(
  error: { readonly name: string; readonly message: string },
  file: string,
  source: string,
): Promise<Span | null> {
  const [, line, column] =
    /\((\d+):(\d+)\)|:(\d+):(\d+)/.exec(error.message)?.filter((part) => part !== undefined) ?? []
  if (line !== undefined && column !== undefined) return spanAt(source, Number(line), Number(column) + 1)
  if (error.name !== 'SyntaxError') return null
  const { spawnSync } = await import('node:child_process')
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5000, env: {} })
  const [, place, mark] = /:(\d+)\n.*\n( *)\^/.exec(stderr) ?? []
  return place === undefined ? null : spanAt(source, Number(place), (mark?.length ?? 0) + 1)
}

function spanAt(source: string, line: number, column: number): Span | null {
  const lines = source.split('\n')
  const text = lines[line - 1]
  if (text === undefined) return null
  const start = lines.slice(0, line - 1).reduce((sum, previous) => sum + previous.length + 1, 0)
  const offset = Math.min(Math.max(column - 1, 0), text.length)
  return { start: start + offset, length: Math.max(1, /^[\w$]+/.exec(text.slice(offset))?.[0].length ?? 1) }
}
