import type { ProblemList, Report } from './problem.ts'
import type { ProgramSearch } from './program-search.ts'
import type { TreeNode } from './tree.ts'

/** What building the specs of one environment needs besides the apps themselves. */
export interface BuildContext {
  /** Absolute path of the ecosystem file, and its folder: relative paths start there. */
  readonly file: string
  readonly folder: string
  readonly text: string
  /** The shell that applies. Never process.env itself. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** A variable of that shell, or of the project's `.env`. */
  readonly lookup: (name: string) => string | undefined
  readonly seal: (value: string) => { fingerprint: string; sealed: string }
  readonly problems: ProblemList
  /** Told about secrets by reference that cannot be had. */
  readonly missing: Report
  /** False where nobody asked for this environment: `from_command` is not run. */
  readonly runsCommands: boolean
  /** Secrets that came from commands, by argv: five apps that share one command run it once. */
  readonly commands: Map<string, Promise<CommandOutcome>>
  readonly programs: ProgramSearch
  /** The file's own `env_file`. */
  readonly envFiles: TreeNode | null
}

export type CommandOutcome =
  | { readonly ok: true; readonly output: string }
  | { readonly ok: false; readonly reason: string }
