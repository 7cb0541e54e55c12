/** Magic numbers of statfs(2). */
const NAMES: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0xf2f52010: 'f2fs',
  0x2fc12fc1: 'zfs',
  0xca451a4e: 'bcachefs',
  0x4d44: 'vfat',
  0x2011bab0: 'exfat',
  0x65735546: 'fuse',
  0x6969: 'nfs',
  0xff534d42: 'cifs',
  0xfe534d42: 'smb',
  0x01021997: '9p',
}

/** `ext4`; of ext2 and ext3 it is the same. */
export function fileSystemName(type: number): string {
  return NAMES[type >>> 0] ?? `a file system of type 0x${(type >>> 0).toString(16)}`
}
