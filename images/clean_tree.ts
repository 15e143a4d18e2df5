import { join } from "node:path";

/**
 * Takes out of a tree what belongs to the host or to the moment of the build: package lists and
 * caches, logs, the host's name and resolver. The files that a sandbox gets its own version of stay
 * as empty mount points.
 */
export async function cleanTree(root: string): Promise<void> {
  for (const dir of ["var/lib/apt/lists", "var/cache/apt/archives", "var/log", "tmp", "var/tmp"]) {
    await emptyDir(join(root, dir));
  }
  await Deno.mkdir(join(root, "var/lib/apt/lists/partial"), { recursive: true });
  await Deno.mkdir(join(root, "var/cache/apt/archives/partial"), { recursive: true });
  await Deno.mkdir(join(root, "var/log/apt"), { recursive: true });
  for (const file of ["var/cache/debconf/templates.dat-old", "var/cache/debconf/config.dat-old"]) {
    await Deno.remove(join(root, file)).catch(ignoreMissing);
  }
  for (const file of ["etc/resolv.conf", "etc/machine-id"]) await replaceFile(join(root, file), "");
  await replaceFile(join(root, "etc/hostname"), "sandbox\n");
  await replaceFile(
    join(root, "etc/hosts"),
    "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n",
  );
}

async function replaceFile(path: string, text: string): Promise<void> {
  await Deno.remove(path).catch(ignoreMissing);
  await Deno.writeTextFile(path, text, { mode: 0o644 });
}

async function emptyDir(path: string): Promise<void> {
  try {
    for await (const entry of Deno.readDir(path)) {
      await Deno.remove(join(path, entry.name), { recursive: true });
    }
  } catch (error) {
    ignoreMissing(error);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
