/**
 * Programs that copy descriptors out of other processes, pidfd_getfd(2), and send them to us: system calls that Node cannot
 * make. Their arguments are `PID:FD`. They write what Node's channel between parent and child understands, a line of JSON
 * with the descriptor beside it, and end when we close the channel.
 */

/** The same on all machines, as for every system call since 2019. */
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438

/** sendmsg(2), where Node's name of the machine is known to have 64 bits, and the C library's structures are laid out so. */
const SENDMSG: Readonly<Partial<Record<NodeJS.Architecture, number>>> = {
  x64: 46,
  arm64: 211,
  riscv64: 211,
  loong64: 211,
}

export interface Program {
  readonly file: string
  readonly args: readonly string[]
}

/** In the order in which they are tried: perl starts in a third of the time, and every Debian has it. */
export function takePrograms(): readonly Program[] {
  const sendmsg = SENDMSG[process.arch]
  const perl = sendmsg === undefined ? [] : [{ file: 'perl', args: ['-e', perlScript(sendmsg)] }]
  return [...perl, { file: 'python3', args: ['-I', '-S', '-c', PYTHON] }]
}

const perlScript = (sendmsg: number): string => String.raw`
use strict;
open(my $channel, '+<&=', $ENV{NODE_CHANNEL_FD}) or exit 1;
for (@ARGV) {
  my ($pid, $fd) = split /:/;
  my $process = syscall(${PIDFD_OPEN}, $pid + 0, 0);
  my $copy = $process < 0 ? -1 : syscall(${PIDFD_GETFD}, $process, $fd + 0, 0);
  if ($copy < 0) {
    my ($number, $text) = ($! + 0, "$!");
    syswrite($channel, qq({"of":"$_","errno":$number}\n));
    next;
  }
  my $line = qq({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"of":"$_"}}\n);
  my $vector = pack('PQ', $line, length $line);
  my $beside = pack('QllLx4', 20, 1, 1, $copy);
  my $message = pack('QLx4PQPQLx4', 0, 0, $vector, 1, $beside, length $beside, 0);
  syscall(${sendmsg}, fileno($channel), $message, 0);
}
syswrite($channel, qq({"done":true}\n));
sysread($channel, my $rest, 4096) or exit while 1;
`

const PYTHON = `
import array, ctypes, os, socket, sys
call = ctypes.CDLL(None, use_errno=True).syscall
channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
for of in sys.argv[1:]:
    pid, fd = map(int, of.split(':'))
    process = call(${PIDFD_OPEN}, pid, 0)
    copy = -1 if process < 0 else call(${PIDFD_GETFD}, process, fd, 0)
    if copy < 0:
        channel.sendall(('{"of":"%s","errno":%d}\\n' % (of, ctypes.get_errno())).encode())
        continue
    line = ('{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"of":"%s"}}\\n' % of).encode()
    channel.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [copy]))])
channel.sendall(b'{"done":true}\\n')
while channel.recv(4096):
    pass
`
