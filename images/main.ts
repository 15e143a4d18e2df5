import { ensureImage } from "./build_image.ts";
import { ImageBuildError } from "./image_build_error.ts";
import { defaultDataDir } from "./image_store.ts";

// The program behind `npm run setup`: builds the image and says how far it is, one JSON per line.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort(new ImageBuildError(`interrupted by ${signal}`)));
}
try {
  const image = await ensureImage({
    dataDir: Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir,
    trust: Deno.env.get("PADDOCK_IMAGE_TRUST") === "debian" ? "debian" : "host",
    signal: stop.signal,
    onProgress: (progress) => console.log(JSON.stringify(progress)),
  });
  console.log(JSON.stringify({ done: true, digest: image.digest, rootfs: image.rootfs }));
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof ImageBuildError)) throw error;
  console.error(error.hint ? `${error.message}\n${error.hint}` : error.message);
  Deno.exit(1);
}
