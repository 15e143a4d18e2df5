import { TAP_NETWORK_SCRIPT, type TapNetwork } from "@paddock/driver/vm";

/**
 * Becomes part of the sandbox's cgroup first, so that nothing of a machine is ever outside it, then
 * enters the network namespace, and starts the rest in namespaces of its own, as a machine of gVisor
 * is: when the first process ends, the kernel ends all others and takes the mounts away.
 */
const OUTER = `set -eu
procs=$1 netns=$2
shift 2
echo 500 > /proc/self/oom_score_adj
for directory in $procs; do echo 0 > "$directory/cgroup.procs"; done
exec nsenter --net="$netns" -- unshare --mount --pid --ipc --uts --fork --kill-child --mount-proc \\
  --propagation slave -- sh -c "$@"`;

/**
 * QEMU sees a directory with its libraries and its machine's files in it, and no process, device or
 * network of the host; it runs as a user that owns nothing else.
 */
const INNER = `set -eu
root=$1 fstab=$2 uid=$3 links=$4 filter=$5
shift 5
(
${TAP_NETWORK_SCRIPT}) &
network=$!
mount --all --fstab "$fstab"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9
mkdir "$root/dev/net"
mknod -m 666 "$root/dev/net/tun" c 10 200
if [ -e /dev/kvm ]; then mknod -m 666 "$root/dev/kvm" c 10 232; fi
wait "$network"
exec setpriv --no-new-privs chroot --userspec="$uid:$uid" --groups= "$root" "$@" 3>&2`;

export interface LaunchCommand {
  cgroupDirectories: string[];
  /** Path of the network namespace. */
  netns: string;
  root: string;
  fstab: string;
  uid: number;
  network: TapNetwork;
  qemu: string[];
}

export function launchArguments(command: LaunchCommand): string[] {
  const { links, filter } = command.network;
  return [
    ...["-c", OUTER, "paddock-launch", command.cgroupDirectories.join(" "), command.netns],
    ...[INNER, "paddock-machine", command.root, command.fstab, `${command.uid}`, links, filter],
    ...command.qemu,
  ];
}
