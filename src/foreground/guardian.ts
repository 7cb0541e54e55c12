import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

/**
 * Reads who lives. When its input ends without a word, we were killed: then it ends the groups of those that are left,
 * and removes the private folder. (`k`: every shell has its own way to name a group.)
 */
const SCRIPT = `k() { kill -s "$1" -- "-$2" 2>/dev/null || kill "-$1" "-$2" 2>/dev/null; }
L=" "
while read -r A P; do
  case "$A" in
    +) L="$L$P " ;;
    -) case "$L" in *" $P "*) L="\${L%%" $P "*} \${L#*" $P "}" ;; esac ;;
    bye) exit 0 ;;
  esac
done
for P in $L; do k TERM "$P"; done
I=0
while [ $I -lt 25 ]; do
  ALIVE=
  for P in $L; do k 0 "$P" && ALIVE=1; done
  [ -z "$ALIVE" ] && break
  I=$((I + 1))
  sleep 0.2
done
for P in $L; do k KILL "$P"; done
rm -rf -- "$1"`

/** A shell beside us that ends the apps when we are killed, as a container's end would. Where there is no shell, nothing does. */
export class Guardian {
  readonly #input: Writable | null
  #known: ReadonlySet<number> = new Set()

  /** @param home removed when we cannot do it ourselves */
  constructor(home: string) {
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', home], {
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: process.env['HOME'] ?? '/' },
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#input = child.stdin
    child.on('error', () => {})
    child.stdin?.on('error', () => {})
    release(child)
  }

  /** @param pids the leaders of the groups that live now */
  watch(pids: ReadonlySet<number>): void {
    const words = [
      ...[...pids].filter((pid) => !this.#known.has(pid)).map((pid) => `+ ${pid}\n`),
      ...[...this.#known].filter((pid) => !pids.has(pid)).map((pid) => `- ${pid}\n`),
    ]
    this.#known = pids
    if (words.length > 0) this.#input?.write(words.join(''))
  }

  /** We see to everything ourselves. */
  dismiss(): void {
    this.#input?.end('bye\n')
  }
}

/** Neither it nor the pipe to it keeps us from ending. */
function release(child: ChildProcess): void {
  child.unref()
  ;(child.stdin as unknown as { unref?: () => void } | null)?.unref?.()
}
