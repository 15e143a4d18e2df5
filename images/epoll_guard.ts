import { join } from "node:path";
import { ImageBuildError } from "./image_build_error.ts";

const DEADLINE_MS = 10_000;

/** Compiles what keeps event loops in the guest from events of a restored kernel that mean nothing. */
export async function compileEpollGuard(text: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await Deno.makeTempDir({ prefix: "paddock-guard-" });
  try {
    const library = join(directory, "epoll_guard.so");
    const source = join(directory, "epoll_guard.c");
    await Deno.writeFile(source, text);
    const { code, stderr } = await new Deno.Command("tcc", {
      args: ["-shared", "-nostdlib", "-o", library, source],
      signal: AbortSignal.timeout(DEADLINE_MS),
      stdin: "null",
      stdout: "null",
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readFile(library);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new ImageBuildError(
      missing
        ? "there is no tcc on this host: npm run setup installs it"
        : `tcc could not compile epoll_guard.c: ${(cause as Error).message}`,
      { cause },
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
