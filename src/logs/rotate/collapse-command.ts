export const COLLAPSE_PROGRAM = 'fallocate'

/** Node has no fallocate(2). The file is standard input: no path is followed twice. @param length in bytes, whole blocks */
export function collapseCommand(length: number): [file: string, ...args: string[]] {
  return [COLLAPSE_PROGRAM, '--collapse-range', '--offset', '0', '--length', String(length), '/proc/self/fd/0']
}
