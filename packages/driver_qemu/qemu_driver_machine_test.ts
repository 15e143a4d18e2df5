import { registerDriverConformance } from "../driver/conformance.ts";
import { ensureImage } from "../../images/build_image.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { createQemuDriver } from "./qemu_driver.ts";

const dataDir = "/var/lib/paddock";
const boot = await ensureVmGuest({ dataDir });

registerDriverConformance({
  name: "qemu",
  createDriver: (stateDir) =>
    createQemuDriver({ stateDir, cacheDir: `${dataDir}/vm-layers`, boot }),
  isVital: (commandLine) => commandLine.startsWith("/qemu "),
  image: () => ensureImage({ dataDir, trust: "host" }),
  bootMs: 120_000,
  ownKernel: true,
});
