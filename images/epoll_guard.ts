import { compileC } from "../packages/driver/compile_c.ts";
import { ImageBuildError } from "./image_build_error.ts";

/** Compiles what keeps event loops in the guest from events of a restored kernel that mean nothing. */
export async function compileEpollGuard(source: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await compileC(source, ["-shared"]);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new ImageBuildError(
      missing
        ? "there is no tcc on this host: npm run setup installs it"
        : `tcc could not compile epoll_guard.c: ${(cause as Error).message}`,
      { cause },
    );
  }
}
