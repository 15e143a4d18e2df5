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
bundle=$1 scratch=$2 hide=$3 init=$4 pid=$5
shift 5
if [ -n "$scratch" ]; then
  mount -t tmpfs -o size=1m,nr_inodes=256,mode=700,nosuid,nodev paddock "$scratch"
  mkdir "$scratch/upper" "$scratch/work" "$scratch/etc"
  cp -p "$bundle/resolv.conf" "$bundle/hosts" "$bundle/hostname" "$scratch/etc"
fi
mount --all --fstab "$bundle/fstab"
if [ "$hide" = yes ]; then mount -t tmpfs -o ro,size=4k paddock /proc/sys/net/core; fi
`;

/** Where runsc lets go of the machine its command has to say so, and where to write the sentry's number. */
const NOW = `[ -n "$init" ] || exec "$@"
runsc=$(command -v "$1")
shift
exec "$init" "$pid" "$runsc" "$@"`;

/**
 * The sentry is started before there is anything to restore, and takes it in when a line arrives on the
 * standard input. runsc is not its parent then, so the shell stays, which reaps it.
 */
const WHEN_TOLD = `id=$1 image=$2
shift 2
"$@" create \${init:+--pid-file "$pid"} --bundle "$bundle" "$id" < /dev/null
read -r _
status=0
"$@" restore \${init:+--detach} --image-path "$image" --bundle "$bundle" "$id" < /dev/null || status=$?
[ -z "$init" ] || [ "$status" != 0 ] || exec "$init" "$pid" < /dev/null
exit "$status"`;

export interface LaunchCommand {
  cgroupDirectories: string[];
  /** Path of the network namespace. */
  netns: string;
  /** Directory of fstab and config.json. */
  bundle: string;
  /** Where the machine's small tmpfs is mounted; empty: it has none. */
  scratch: string;
  hideNetCore: boolean;
  /** What waits for the sentry; without one runsc does. */
  init?: MachineInit;
  /** With its flags, and with a command where nothing is to be restored later. */
  runsc: string[];
  /** What to restore once the launched command is told to. */
  later?: { id: string; image: string };
}

export interface MachineInit {
  /** Path of `machine_init`. */
  program: string;
  pidFile: string;
}

export function launchArguments(command: LaunchCommand): string[] {
  const { later, init } = command;
  return [
    ...["-c", OUTER, "paddock-launch", command.cgroupDirectories.join(" "), command.netns],
    ...[INNER + (later ? WHEN_TOLD : NOW), "paddock-machine", command.bundle, command.scratch],
    ...[command.hideNetCore ? "yes" : "no", init?.program ?? "", init?.pidFile ?? ""],
    ...(later ? [later.id, later.image] : []),
    ...command.runsc,
  ];
}
