import { join } from "node:path";
import { recipe } from "./recipe.ts";
import { runChild } from "./run_child.ts";

export interface VscodeCacheOptions {
  /** The layer as far as it is. */
  into: string;
  /** The name that it will have: Node's cache goes by the full paths of the guest. */
  name: string;
  timeoutMs: number;
  signal?: AbortSignal;
}

// The layer is shown at the guest's path. What runs is code-server's own code, which has no business on the
// host: it gets nobody's capabilities, no network, and none of the directories that people keep things in.
const script = `set -e
  entry=$1 target=$2 user=$3
  mount -t tmpfs tmpfs /opt
  mkdir -p "$target"
  mount --bind "$entry" "$target"
  mount --bind "$entry/cache" "$target/cache"
  mount -o remount,bind,ro "$target"
  for folder in /home /root /tmp /var/tmp /srv /mnt /media; do
    if [ -d $folder ]; then mount -t tmpfs -o mode=1777 tmpfs $folder; fi
  done
  ip link set lo up
  cd /tmp
  exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all \\
    --inh-caps=-all env -i HOME=/tmp/home PATH=/usr/bin:/bin NODE_COMPILE_CACHE="$target/cache" \\
    "$target/bin/node" "$target/warm.cjs"`;

/**
 * Fills the layer's `cache` with compiled code, without which every editor's start compiles megabytes of
 * JavaScript anew. Node keeps the cache by version, processor and user, so it is made as the guest's.
 */
export async function fillVscodeCache(options: VscodeCacheOptions): Promise<void> {
  const { into, name, timeoutMs, signal } = options;
  const { uid } = recipe.user;
  const cache = join(into, "cache");
  await Deno.mkdir(cache);
  await Deno.chown(cache, uid, uid);
  const target = `/opt/paddock/layers/${name}`;
  await runChild([
    ...["unshare", "--mount", "--net", "--ipc", "--uts", "sh", "-c", script, "sh"],
    ...[into, target, `${uid}`],
  ], { timeoutMs: Math.min(timeoutMs, 120_000), signal });
  const rest = { timeoutMs: 60_000, signal };
  await runChild(["chown", "-R", "0:0", cache], rest);
  await runChild(["chmod", "-R", "u=rwX,go=rX", cache], rest);
}
