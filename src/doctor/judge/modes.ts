/** Who may read ECO_HOME. Everything in it is the user's own; folders of sockets may be passed through. */

import { join } from 'node:path'
import { error, fewOf, type Finding, type Fix, ok, warning, word } from '../finding.ts'
import type { HomeEntry, HomeFacts } from '../look/home.ts'

const FOLDER = 0o700
const FILE = 0o600
/** `notify` and `probe`: users of apps reach through them to the folder that is theirs. */
const PASSAGE = 0o711

export function judgeModes({ path, mode, entries, me, uid }: HomeFacts): Finding[] {
  const isOpen = (mode & ~FOLDER) !== 0
  const canFix = me === uid || me === 0
  const findings: Finding[] = []
  if (isOpen) {
    const more = { fixes: canFix ? [chmod(path, FOLDER)] : [] }
    const remedy = `chmod 700 ${word(path)}`
    findings.push(
      mode & 0o022
        ? error('home.modes', `${path} has mode ${octal(mode)}: others can replace what is in it`, remedy, more)
        : warning('home.modes', `${path} has mode ${octal(mode)}: others can look into it`, remedy, more),
    )
  }
  const open = entries.filter((entry) => (entry.mode & ~allowed(entry)) !== 0)
  if (open.length > 0) {
    const more = {
      details: fewOf(open.map((entry) => `${entry.path} has mode ${octal(entry.mode)}, not ${octal(allowed(entry))}`)),
      fixes: open.flatMap((entry) =>
        entry.uid === me || me === 0 ? [chmod(join(path, entry.path), entry.mode & allowed(entry))] : [],
      ),
    }
    const [first] = open
    const text =
      open.length === 1 && first
        ? `${first.path} in ${path} is open to others`
        : `${open.length} files or folders in ${path} are open to others`
    const reaches = isOpen && open.some((entry) => entry.path === 'secret.key')
    findings.push(
      reaches
        ? error('home.modes', `${text}, the key of the secrets too`, 'eco doctor --fix', more)
        : warning('home.modes', text, 'eco doctor --fix', more),
    )
  }
  return findings.length > 0 ? findings : [ok('home.modes', 'nobody else can read it (modes 0700 and 0600)')]
}

export function judgeOwners({ path, entries, uid }: HomeFacts): Finding[] {
  // An app that runs as another user has a folder of its own in these, and its logs belong to it; only root can start one.
  const ofApps = uid === 0 ? /^(?:probe|notify|spool)\/|^scopes\/[^/]+\/[^/]+\/logs\/./ : /^(?:probe|notify)\//
  const foreign = entries.filter((entry) => entry.uid !== uid && !ofApps.test(entry.path))
  if (foreign.length === 0) return [ok('home.owners', 'everything in it has the same owner')]
  const [first] = foreign
  const what = foreign.length === 1 && first ? first.path : `${foreign.length} files or folders`
  const text = `${what} in ${path} must belong to uid ${uid}, as ${path} does: eco may not be able to read or replace them`
  return [
    error('home.owners', text, `sudo chown -R ${uid} ${word(path)}`, {
      details: fewOf(foreign.map((entry) => `${entry.path} belongs to uid ${entry.uid}`)),
    }),
  ]
}

function allowed({ path, type }: HomeEntry): number {
  if (type === 'folder') return path === 'notify' || path === 'probe' ? PASSAGE : FOLDER
  // The folder of an instance is closed, and what is in it is the app's.
  if (/^(?:notify|probe)\//.test(path)) return 0o777
  return type === 'other' ? 0o777 : FILE
}

function chmod(path: string, mode: number): Fix {
  return { type: 'chmod', path, mode }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
