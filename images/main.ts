import { ensureImage } from "./build_image.ts";
import { defaultDataDir } from "./image_store.ts";

// The program behind `npm run setup`: builds the image and says how far it is, one JSON per line.
const trust = Deno.env.get("PADDOCK_IMAGE_TRUST") === "debian" ? "debian" : "host";
const image = await ensureImage({
  dataDir: Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir,
  trust,
  onProgress: (progress) => console.log(JSON.stringify(progress)),
});
console.log(JSON.stringify({ done: true, digest: image.digest, rootfs: image.rootfs }));
