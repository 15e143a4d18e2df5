import { basename, join } from "node:path";

/** What the lab's first stage needs; libcrc32c, on which erofs builds, asks for crc32c by name. */
const needed = ["crc32c_generic", "virtio_blk", "erofs", "overlay"];

export interface LabModule {
  name: string;
  content: Uint8Array;
}

/** The needed modules in the order in which they load, as depmod wrote it down. */
export async function labModules(modulesDir: string): Promise<LabModule[]> {
  const dependencies = new Map<string, string[]>();
  const text = await Deno.readTextFile(join(modulesDir, "modules.dep"));
  for (const line of text.split("\n").filter(Boolean)) {
    const [path, after] = line.split(":");
    dependencies.set(path, after.trim().split(" ").filter(Boolean));
  }
  const order = new Set<string>();
  for (const name of needed) {
    const path = [...dependencies.keys()].find((file) => nameOf(file) === name);
    if (!path) throw new Error(`the lab's kernel has no module ${name}`);
    for (const before of dependencies.get(path)!.toReversed()) order.add(before);
    order.add(path);
  }
  return await Promise.all(
    [...order].map(async (path) => ({
      name: nameOf(path),
      content: await unpacked(join(modulesDir, path)),
    })),
  );
}

function nameOf(path: string): string {
  return basename(path).split(".")[0].replaceAll("-", "_");
}

async function unpacked(path: string): Promise<Uint8Array> {
  if (!path.endsWith(".xz")) return await Deno.readFile(path);
  const { success, stdout } = await new Deno.Command("xz", { args: ["-dc", path] }).output();
  if (!success) throw new Error(`${path} cannot be unpacked`);
  return stdout;
}
