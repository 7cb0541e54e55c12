import { bytes, count, error, fewOf, type Finding, ok, skipped, warning, word } from '../finding.ts'
import type { FileSystem, HomeEntry, HomeFacts } from '../look/home.ts'
import { judgeModes, judgeOwners } from './modes.ts'

const MIB = 2 ** 20

/** Magic numbers of statfs(2): other machines may write there, and neither sockets nor locks reach across. */
const NETWORK: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xfe534d42: 'SMB',
  0xff534d42: 'CIFS',
  0x01021997: '9p',
  0x5346414f: 'AFS',
  0x00c36400: 'Ceph',
  0x0bd00bd3: 'Lustre',
  0x786f4256: 'a folder shared by VirtualBox',
}
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

export function judgeHome(facts: HomeFacts): Finding[] {
  const { folder, path, me, uid } = facts
  const length = socketPathLength(facts)
  if (folder === 'missing') {
    const how = facts.unwritable === null ? 'the first command makes it' : `and cannot be made (${facts.unwritable})`
    const text = `${path} is not there yet; ${how}`
    const there =
      facts.unwritable === null ? ok('home.folder', text) : error('home.folder', text, 'export ECO_HOME=~/.eco')
    return [there, length, ...judgeFileSystem(facts)]
  }
  if (folder === 'not a folder')
    return [error('home.folder', `${path} is not a folder: eco has no place for its state`, `ls -ld ${word(path)}`)]
  if (folder === 'closed')
    return [error('home.folder', `${path} cannot be looked into: it belongs to another user`, `ls -ld ${word(path)}`)]
  if (isForeign(facts)) return [foreign(facts), length, ...judgeFileSystem(facts)]
  return [
    ok('home.folder', path),
    owner(path, me, uid),
    ...judgeModes(facts),
    ...judgeOwners(facts),
    facts.unwritable === null
      ? ok('home.writable', 'it can be written to')
      : error(
          'home.writable',
          `${path} cannot be written to (${facts.unwritable}): nothing is remembered`,
          remount(facts),
        ),
    length,
    ...judgeFileSystem(facts),
    sizes(facts.entries),
  ]
}

/**
 * Why nothing can be said of what is in it: a check that saw nothing must not say that nothing is wrong.
 *
 * @returns null when it can be looked into, or when there is nothing yet
 */
export function whyClosed(facts: HomeFacts): string | null {
  const { folder, socketPath, maxSocketPath } = facts
  if (folder === 'not a folder') return 'ECO_HOME is not a folder'
  if (folder === 'closed' || isForeign(facts)) return 'ECO_HOME belongs to another user'
  return Buffer.byteLength(socketPath) > maxSocketPath ? 'the path of ECO_HOME is too long' : null
}

function isForeign({ folder, me, uid }: HomeFacts): boolean {
  return folder === 'there' && me !== 0 && me !== uid
}

function foreign({ path, me, uid }: HomeFacts): Finding {
  const text = `${path} belongs to uid ${uid}, and this is uid ${me}: what is in it cannot be seen`
  return error('home.owner', text, asUser(uid, path))
}

function owner(path: string, me: number, uid: number): Finding {
  if (uid === me) return ok('home.owner', `it belongs to this user (uid ${me})`)
  const text = `${path} belongs to uid ${uid}, and this is root: what root writes there its owner cannot read`
  return warning('home.owner', text, asUser(uid, path))
}

function asUser(uid: number, path: string): string {
  return `sudo -u '#${uid}' env ECO_HOME=${word(path)} eco doctor`
}

function remount({ unwritable, path, me }: HomeFacts): string {
  return unwritable === 'EROFS'
    ? `findmnt -T ${word(path)}`
    : `sudo chown -R ${me} ${word(path)} && chmod 700 ${word(path)}`
}

function socketPathLength({ socketPath, maxSocketPath }: HomeFacts): Finding {
  const length = Buffer.byteLength(socketPath)
  if (length <= maxSocketPath)
    return ok('home.socket_path', `the path of the socket has ${length} of ${maxSocketPath} bytes`)
  const text = `${socketPath} has ${length} bytes, and a socket can have ${maxSocketPath}: no daemon can start`
  return error('home.socket_path', text, 'export ECO_HOME=~/.eco')
}

function judgeFileSystem({ fileSystem, path }: HomeFacts): Finding[] {
  if (fileSystem === null) return [skipped('home.file_system', 'the system does not say what file system it is')]
  return [kind(fileSystem, path), space(fileSystem, path), inodes(fileSystem, path)]
}

function kind({ type }: FileSystem, path: string): Finding {
  const network = NETWORK[type]
  if (network !== undefined) {
    const text = `${path} is on ${network}: its socket and its locks work on one machine only, and a stalled server stalls eco`
    return error('home.file_system', text, 'export ECO_HOME=/var/lib/eco')
  }
  if (IN_MEMORY.has(type)) {
    const text = `${path} is in memory: after a reboot nothing is known of what was applied`
    return warning('home.file_system', text, 'export ECO_HOME=~/.eco')
  }
  return ok('home.file_system', 'it is on a local file system')
}

function space({ freeBytes, totalBytes }: FileSystem, path: string): Finding {
  const text = `${bytes(freeBytes)} of ${bytes(totalBytes)} are free`
  const remedy = `du -xh ${word(path)} | sort -h | tail`
  if (freeBytes < 4 * MIB) return error('home.space', `${text}: state and logs cannot be written much longer`, remedy)
  if (freeBytes < 200 * MIB || freeBytes < totalBytes * 0.03)
    return warning('home.space', `${text} where ${path} is`, remedy)
  return ok('home.space', text)
}

function inodes({ freeInodes, totalInodes }: FileSystem, path: string): Finding {
  if (totalInodes === 0) return ok('home.inodes', 'the number of files is not limited')
  const text = `${freeInodes} of ${totalInodes} inodes are free`
  const remedy = `du -x --inodes ${word(path)} | sort -n | tail`
  if (freeInodes < 50) return error('home.inodes', `${text}: no more files can be made`, remedy)
  if (freeInodes < 1000 || freeInodes < totalInodes * 0.01) return warning('home.inodes', text, remedy)
  return ok('home.inodes', text)
}

function sizes(entries: readonly HomeEntry[]): Finding {
  const sum = (pattern: RegExp): number =>
    entries.filter(({ path, type }) => type === 'file' && pattern.test(path)).reduce((all, it) => all + it.bytes, 0)
  const parts = [
    `logs ${bytes(sum(/^scopes\/[^/]+\/[^/]+\/logs\//))}`,
    `events ${bytes(sum(/^scopes\/[^/]+\/[^/]+\/events\.ndjson/))}`,
    `revisions ${bytes(sum(/^scopes\/[^/]+\/[^/]+\/revisions\//))}`,
    `cache ${bytes(sum(/^cache\//))}`,
  ]
  const log = entries.find(({ path }) => path === 'daemon.log')
  const MOST = 100 * MIB
  if (log && log.bytes > MOST) {
    const text = `daemon.log has ${bytes(log.bytes)}: something is told again and again`
    return warning('home.sizes', text, 'eco daemon logs', { details: fewOf(parts) })
  }
  return ok('home.sizes', `${count(entries.length, 'file or folder', 'files and folders')}: ${parts.join(', ')}`)
}
