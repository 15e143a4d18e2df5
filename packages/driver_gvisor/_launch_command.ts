/**
 * Becomes part of the sandbox's cgroup first, so that nothing of a machine is ever outside it, then
 * enters the network namespace, and starts the rest in namespaces of its own:
 * - of processes: when its first process ends, the kernel ends all others, whatever state they are
 *   in, and `unshare` reports the exit;
 * - of mounts: the disk and the views below cannot outlive the machine, and its loop device is freed
 *   with them. Propagation is `slave`, so that what the host unmounts is not kept busy in here.
 */
const OUTER = `set -eu
procs=$1 netns=$2
shift 2
echo 500 > /proc/self/oom_score_adj
for directory in $procs; do echo 0 > "$directory/cgroup.procs"; done
exec nsenter --net="$netns" -- unshare --mount --pid --fork --kill-child --mount-proc \\
  --propagation slave -- sh -c "$@"`;

/**
 * runsc takes a network namespace for the host's when it sees /proc/sys/net/core/rmem_default, which
 * kernels from 6.14 show in every namespace; versions that know better do not need it hidden.
 */
const INNER = `set -eu
fstab=$1 hide=$2
shift 2
mount --all --fstab "$fstab"
if [ "$hide" = yes ]; then mount -t tmpfs -o ro,size=4k paddock /proc/sys/net/core; fi
exec "$@"`;

export interface LaunchCommand {
  cgroupDirectories: string[];
  /** Path of the network namespace. */
  netns: string;
  fstab: string;
  hideNetCore: boolean;
  runsc: string[];
}

export function launchArguments(command: LaunchCommand): string[] {
  return [
    ...["-c", OUTER, "paddock-launch", command.cgroupDirectories.join(" "), command.netns],
    ...[INNER, "paddock-machine", command.fstab, command.hideNetCore ? "yes" : "no"],
    ...command.runsc,
  ];
}
