/** Where this process sits in the cgroup v2 hierarchy, worked out from /proc/self/mountinfo and /proc/self/cgroup. Pure. */

/** One mount of cgroup v2. */
export interface CgroupMount {
  /** The cgroup that shows as the folder `mountPoint`: `/`, or that of a container seen from outside. */
  readonly root: string
  readonly mountPoint: string
  readonly readOnly: boolean
}

/** The cgroup2 mounts of a mountinfo file (proc(5)), in its order: a later one may lie over an earlier one. */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = []
  for (const line of mountinfo.split('\n')) {
    // 36 35 98:0 /root /mount/point rw,noatime shared:1 … - cgroup2 source rw,nsdelegate
    const [before, after] = line.split(' - ')
    if (before === undefined || after === undefined) continue
    const [type, , superOptions = ''] = after.split(' ')
    const [, , , root, mountPoint, options = ''] = before.split(' ')
    if (type !== 'cgroup2' || root === undefined || mountPoint === undefined) continue
    const readOnly = [options, superOptions].some((it) => it.split(',').includes('ro'))
    mounts.push({ root: unescapeOctal(root), mountPoint: unescapeOctal(mountPoint), readOnly })
  }
  return mounts
}

/** The path of the v2 line (`0::/path`) of a /proc/PID/cgroup file; null where there is no v2 hierarchy. */
export function parseOwnCgroup(text: string): string | null {
  const line = text.split('\n').find((it) => it.startsWith('0::'))
  return line === undefined ? null : line.slice('0::'.length)
}

export type Place =
  | { readonly type: 'found'; /** The folder of our own cgroup. */ readonly dir: string }
  | { readonly type: 'none'; readonly reason: string }

/** The folder in which our own cgroup can be changed. */
export function placeOf(mountinfo: string, ownCgroup: string): Place {
  const own = parseOwnCgroup(ownCgroup)
  const mounts = parseCgroupMounts(mountinfo)
  if (own === null || mounts.length === 0) return none('no cgroup v2 is mounted')
  const reaching = mounts.flatMap((mount) => {
    const below = relativeTo(mount.root, own)
    return below === null ? [] : [{ ...mount, dir: `${mount.mountPoint}${below}` }]
  })
  if (reaching.length === 0) return none(`cgroup v2 is mounted without the own cgroup ${own}`)
  const writable = reaching.findLast((mount) => !mount.readOnly)
  if (!writable) return none(`cgroup v2 is mounted read-only at ${reaching[0]?.mountPoint}`)
  return { type: 'found', dir: writable.dir }
}

/** `''` or `/rest`; null when it lies outside, or above the root of the cgroup namespace, where names are not known. */
function relativeTo(root: string, path: string): string | null {
  if (hasParent(root) || hasParent(path)) return null
  if (root === '/') return path === '/' ? '' : path
  if (path === root) return ''
  return path.startsWith(`${root}/`) ? path.slice(root.length) : null
}

function hasParent(path: string): boolean {
  return path.split('/').includes('..')
}

/** mountinfo writes space, tab, newline and backslash as `\040` and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function none(reason: string): Place {
  return { type: 'none', reason }
}
