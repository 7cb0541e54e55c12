import { recallTree, rememberTree } from './parse-cache.ts'
import { ProblemList } from './problem.ts'
import { readSource } from './read-source.ts'
import type { MapNode, TreeNode } from './tree.ts'

/** An ecosystem file as it was read. */
export interface ParsedFile {
  readonly text: string
  /** Null when no map could be read; the problems say why. */
  readonly root: MapNode | null
  readonly problems: ProblemList
  /** A TS/JS file that exports a function of the environment: each environment is another value. */
  readonly isFunction: boolean
}

export interface ParseOptions {
  readonly file: string
  /** Passed to a file that exports a function. */
  readonly environment: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where parsed files are kept; absent: nowhere. */
  readonly cache?: string | undefined
}

/**
 * Reads and parses an ecosystem file by its extension. Each parser is loaded when it is needed: a YAML file never loads
 * the TypeScript loader.
 *
 * @throws EcoError when the file is missing, too large, no regular file or not readable
 */
export async function parseFile(options: ParseOptions): Promise<ParsedFile> {
  const problems = new ProblemList()
  const text = readSource(options.file, problems.error)
  if (problems.hasErrors) return { text, root: null, problems, isFunction: false }
  const { tree, isFunction } = await parseText(text, options, problems)
  const root = tree?.kind === 'map' ? tree : null
  if (tree && !root) {
    problems.error(tree.at, `an ecosystem file must be a map with "apps", but this is ${nameOf(tree)}`)
  }
  return { text, root, problems, isFunction }
}

async function parseText(
  text: string,
  options: ParseOptions,
  problems: ProblemList,
): Promise<{ readonly tree: TreeNode | null; readonly isFunction: boolean }> {
  const extension = options.file.slice(options.file.lastIndexOf('.') + 1).toLowerCase()
  switch (extension) {
    case 'json':
    case 'jsonc': {
      const { parseJson } = await import('./parse-json.ts')
      return { tree: parseJson(text, extension, problems.error), isFunction: false }
    }
    case 'ts':
    case 'mts':
    case 'js':
    case 'mjs':
    case 'cjs': {
      const { evaluateFile } = await import('./evaluate.ts')
      const { file, environment, env } = options
      const evaluated = await evaluateFile({ file, environment }, text, env, problems.error)
      return { tree: evaluated?.tree ?? null, isFunction: evaluated?.isFunction ?? false }
    }
    case 'yaml':
    case 'yml': {
      const { cache, file } = options
      const known = cache === undefined ? null : recallTree(cache, file, text)
      if (known) return { tree: known, isFunction: false }
      const { parseYaml } = await import('./parse-yaml.ts')
      const tree = parseYaml(text, problems.error)
      if (cache !== undefined && !problems.hasErrors) rememberTree(cache, file, text, tree)
      return { tree, isFunction: false }
    }
    default:
      problems.error(
        null,
        `cannot tell the format of a file with the ending "${extension}"`,
        'use .yaml, .json, .ts or .js',
      )
      return { tree: null, isFunction: false }
  }
}

function nameOf(tree: TreeNode): string {
  if (tree.kind === 'list') return 'a list'
  return tree.kind === 'scalar' && tree.value !== null ? JSON.stringify(tree.value).slice(0, 40) : 'empty'
}
