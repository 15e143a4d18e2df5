import { join } from "node:path";
import { PaddockError } from "@paddock/protocol";
import { ensureImage } from "../build_image.ts";
import { ImageBuildError } from "../image_build_error.ts";
import { defaultDataDir } from "../image_store.ts";
import { rootImage } from "../../packages/driver/vm/root_image.ts";
import { ensureVmGuest } from "./vm_guest.ts";

// The program behind `npm run setup -- --tests`: builds what virtual machines boot and packs the guest
// image for them, and says how far it is, one JSON per line.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort(new ImageBuildError(`interrupted by ${signal}`)));
}
try {
  const dataDir = Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir;
  const say = (progress: unknown) => console.log(JSON.stringify(progress));
  const guest = await ensureVmGuest({
    dataDir,
    kernel: Deno.env.get("PADDOCK_VM_KERNEL") || undefined,
    signal: stop.signal,
    onProgress: say,
  });
  const trust = Deno.env.get("PADDOCK_IMAGE_TRUST") === "debian" ? "debian" : "host";
  const image = await ensureImage({ dataDir, trust, signal: stop.signal });
  // Whether it is whole, machines look before they use it.
  const packed = await Deno.stat(join(image.rootfs, "../vm-root")).then(() => true, () => false);
  if (!packed) {
    say({ percent: 95, what: "packing the guest image" });
    await rootImage(image, stop.signal);
  }
  say({ done: true, ...guest });
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof PaddockError)) throw error;
  console.error(error.hint ? `${error.message}\n${error.hint}` : error.message);
  Deno.exit(1);
}
