import { ImageBuildError } from "./image_build_error.ts";
import { defaultDataDir } from "./image_store.ts";
import { ensureVscodeLayer } from "./vscode_layer.ts";

// The program behind `npm run setup -- --tests`: builds the VS Code layer and says how far it is, one
// JSON per line.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort(new ImageBuildError(`interrupted by ${signal}`)));
}
try {
  const layer = await ensureVscodeLayer({
    dataDir: Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir,
    signal: stop.signal,
    onProgress: (progress) => console.log(JSON.stringify(progress)),
  });
  console.log(JSON.stringify({ done: true, digest: layer.digest, path: layer.path }));
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof ImageBuildError)) throw error;
  console.error(error.hint ? `${error.message}\n${error.hint}` : error.message);
  Deno.exit(1);
}
