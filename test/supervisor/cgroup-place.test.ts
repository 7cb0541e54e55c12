import { describe, expect, it } from 'vitest'
import { parseCgroupMounts, parseOwnCgroup, placeOf } from '../../src/supervisor/cgroup-place.ts'

const HYBRID = `\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`
const HYBRID_OWN = `\
9:name=systemd:/
4:memory:/process_api/995ed1c9bf1c4234c8c055ac0a93234c
1:cpu:/
0::/`

const SYSTEMD = `\
24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
34 25 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot`

const DOCKER = `\
1245 1080 0:282 / / rw,relatime master:434 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/X
1249 1248 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot`

const NSPAWN = `\
600 599 0:29 /machine.slice/machine-web.scope/payload /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate`

const SPACES = String.raw`41 31 0:38 / /mnt/my\040cgroups\134x rw - cgroup2 cgroup2 rw`

describe('the place in the cgroup v2 hierarchy', () => {
  it.each([
    ['hybrid, at the root', HYBRID, HYBRID_OWN, '/sys/fs/cgroup/unified'],
    ['hybrid, in a cgroup', HYBRID, '0::/eco-machine/payload', '/sys/fs/cgroup/unified/eco-machine/payload'],
    ['pure v2, a unit', SYSTEMD, '0::/system.slice/eco.service', '/sys/fs/cgroup/system.slice/eco.service'],
    [
      'pure v2, a user unit',
      SYSTEMD,
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/eco.service\n',
      '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/eco.service',
    ],
    [
      'a container that sees the paths of its host',
      NSPAWN,
      '0::/machine.slice/machine-web.scope/payload/system.slice/eco.service',
      '/sys/fs/cgroup/system.slice/eco.service',
    ],
    ['at the root of such a container', NSPAWN, '0::/machine.slice/machine-web.scope/payload', '/sys/fs/cgroup'],
    ['a mount point with a space and a backslash', SPACES, '0::/a b', '/mnt/my cgroups\\x/a b'],
    ['the later mount lies over the earlier one', `${SYSTEMD}\n${SPACES}`, '0::/', '/mnt/my cgroups\\x'],
    ['a read-only mount beside a writable one', `${SYSTEMD}\n${DOCKER}`, '0::/', '/sys/fs/cgroup'],
  ])('is found: %s', (_, mountinfo, own, dir) => {
    expect(placeOf(mountinfo, own)).toEqual({ type: 'found', dir })
  })

  it.each([
    [
      'v1 only',
      '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
      HYBRID_OWN,
      'no cgroup v2 is mounted',
    ],
    ['no v2 line of our own', HYBRID, '4:memory:/', 'no cgroup v2 is mounted'],
    ['docker, unprivileged', DOCKER, '0::/', 'cgroup v2 is mounted read-only at /sys/fs/cgroup'],
    ['a mount of somebody else', NSPAWN, '0::/machine.slice/machine-web.scope', 'cgroup v2 is mounted without the own'],
    [
      'a name that only begins like the root',
      NSPAWN,
      '0::/machine.slice/machine-web.scope/payload2',
      'without the own',
    ],
    ['above the root of the namespace', SYSTEMD, '0::/../other', 'without the own cgroup /../other'],
    ['mounted before the namespace was entered', NSPAWN.replace(/\/machine\S+/, '/../..'), '0::/', 'without the own'],
    ['nothing readable', '', '', 'no cgroup v2 is mounted'],
  ])('is not there: %s', (_, mountinfo, own, reason) => {
    const place = placeOf(mountinfo, own)
    expect(place.type).toBe('none')
    expect(place).toHaveProperty('reason', expect.stringContaining(reason))
  })

  it('reads the optional fields of mountinfo, however many there are', () => {
    const line = '34 25 0:29 / /cg rw shared:9 master:2 propagate_from:3 unbindable - cgroup2 cgroup2 rw'
    expect(parseCgroupMounts(line)).toEqual([{ root: '/', mountPoint: '/cg', readOnly: false }])
  })

  it('keeps colons and spaces of a cgroup path', () => {
    expect(parseOwnCgroup('1:name=systemd:/x\n0::/shop:a b\n')).toBe('/shop:a b')
  })
})
