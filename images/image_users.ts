import { basename, join } from "node:path";

/**
 * Notes that this process uses an image, so that nobody prunes it. The note names the process by pid
 * and start time; it ends with the process, whatever way that goes.
 */
export async function noteUse(entry: string): Promise<void> {
  const users = join(entry, "users");
  try {
    await Deno.mkdir(users, { recursive: true });
    await Deno.writeTextFile(join(users, `${Deno.pid}-${await startTime(Deno.pid)}`), "");
    const now = new Date();
    await Deno.utime(entry, now, now);
  } catch (error) {
    // Another user's image, or a read-only one, is not ours to prune either.
    const harmless = [Deno.errors.PermissionDenied, Deno.errors.NotCapable];
    if (!harmless.some((kind) => error instanceof kind)) throw error;
  }
}

/** Whether a living process has noted its use, or a mount anywhere on the host shows the image. */
export async function isInUse(entry: string): Promise<boolean> {
  return await hasLivingUser(entry) || await isMounted(entry);
}

async function hasLivingUser(entry: string): Promise<boolean> {
  let alive = false;
  try {
    for await (const note of Deno.readDir(join(entry, "users"))) {
      const [pid, started] = note.name.split("-");
      if (await startTime(Number(pid)) === started) alive = true;
      else await Deno.remove(join(entry, "users", note.name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return alive;
}

/** A sandbox outlives its daemon: its root shows in the mount table of its own processes. */
async function isMounted(entry: string): Promise<boolean> {
  const rootfs = `/${basename(entry)}/rootfs`;
  for await (const process of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(process.name)) continue;
    const mounts = await Deno.readTextFile(`/proc/${process.name}/mountinfo`).catch(() => "");
    if (mounts.includes(rootfs)) return true;
  }
  return false;
}

async function startTime(pid: number): Promise<string | undefined> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  // The command name may hold spaces and brackets; the fields begin after its last one.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
