import { join } from "node:path";

const DEADLINE_MS = 10_000;

/** Compiles one C file that includes nothing, by `tcc`. Rejects with `NotFound` where there is none. */
export async function compileC(
  source: Uint8Array,
  flags: string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await Deno.makeTempDir({ prefix: "paddock-compile-" });
  try {
    const [from, to] = [join(directory, "source.c"), join(directory, "compiled")];
    await Deno.writeFile(from, source);
    const { code, stderr } = await new Deno.Command("tcc", {
      args: ["-nostdlib", ...flags, "-o", to, from],
      signal: AbortSignal.timeout(DEADLINE_MS),
      stdin: "null",
      stdout: "null",
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readFile(to);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
