import { TAP_NETWORK_SCRIPT } from "@paddock/driver/vm";

/**
 * Becomes part of the sandbox's cgroup first, so that nothing of a machine is ever outside it,
 * connects the tap device in the network namespace, and starts the rest in namespaces of its own:
 * - of processes: when the VMM ends, the kernel ends all else, and `unshare` reports the exit;
 * - of mounts: the machine's files are seen in its jail only, and cannot outlive it. Propagation is
 *   `slave`, so that what the host unmounts is not kept busy in here.
 */
const OUTER = `set -eu
procs=$1 netns=$2 network=$3
shift 3
echo 500 > /proc/self/oom_score_adj
for directory in $procs; do echo 0 > "$directory/cgroup.procs"; done
if [ -n "$netns" ]; then nsenter --net="$netns" -- sh -euc "$network"; fi
unset links filter
exec unshare --mount --pid --fork --kill-child --mount-proc --propagation slave -- sh -c "$@"`;

const INNER = `set -eu
mount --all --fstab "$1"
shift
exec "$@"`;

export interface LaunchCommand {
  cgroupDirectories: string[];
  /** Path of the network namespace; none for a machine without a network. */
  netns?: string;
  fstab: string;
  jailer: string[];
}

/** Arguments of `sh`. The tap device's commands are in its environment, as `links` and `filter`. */
export function launchArguments(command: LaunchCommand): string[] {
  return [
    ...["-c", OUTER, "paddock-launch", command.cgroupDirectories.join(" "), command.netns ?? ""],
    ...[TAP_NETWORK_SCRIPT, INNER, "paddock-machine", command.fstab],
    ...command.jailer,
  ];
}
