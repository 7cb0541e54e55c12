/**
 * Globs: `*` and `?` within a name, `**` for any folders (also none), `[abc]` and `[!abc]`, `{a,b}`. Names that begin
 * with a dot match like any other. A backslash takes the next character literally.
 */

/** The folder below which all matches of a glob lie, without its magic: `src/**` is `src`; '' for none. */
export function globBase(glob: string): string {
  const parts = normalGlob(glob).split('/')
  const magic = parts.findIndex(isMagic)
  return (magic < 0 ? parts : parts.slice(0, magic)).join('/')
}

export function isMagic(glob: string): boolean {
  return /[*?[\]{}\\]/.test(glob)
}

/** A regular expression for paths relative to where the glob starts, with `/` between names. */
export function globPattern(glob: string): RegExp {
  return new RegExp(`^${translate(normalGlob(glob))}$`, 'su')
}

function normalGlob(glob: string): string {
  return glob.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
}

function translate(glob: string): string {
  let result = ''
  for (let at = 0; at < glob.length;) {
    const [consumed, pattern] = token(glob.slice(at), at === 0 || glob[at - 1] === '/')
    result += pattern
    at += consumed
  }
  return result
}

/** How many characters the next part has, and what it is as a regular expression. */
function token(rest: string, atStart: boolean): readonly [consumed: number, pattern: string] {
  const [globstar] = (atStart && /^\*\*(\/|$)/.exec(rest)) || []
  if (globstar !== undefined) return [globstar.length, globstar === '**' ? '.*' : '(?:[^/]+/)*']
  const [stars] = /^\*+/.exec(rest) ?? []
  if (stars !== undefined) return [stars.length, '[^/]*']
  if (rest.startsWith('?')) return [1, '[^/]']
  const [set, negated = '', members = ''] = /^\[([!^]?)([^\]/]+)\]/.exec(rest) ?? []
  if (set !== undefined) return [set.length, `(?!/)[${negated && '^'}${members.replace(/[\\[\]^&]/g, '\\$&')}]`]
  const [group, choices = ''] = /^\{([^{}]*,[^{}]*)\}/.exec(rest) ?? []
  if (group !== undefined) return [group.length, `(?:${choices.split(',').map(translate).join('|')})`]
  const [literal = '', character = ''] = /^\\?(.)/su.exec(rest) ?? []
  return [literal.length || 1, (character || rest.charAt(0)).replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')]
}
