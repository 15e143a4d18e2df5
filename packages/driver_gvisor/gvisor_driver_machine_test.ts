import { registerDriverConformance } from "../driver/conformance.ts";
import { ensureImage } from "../../images/build_image.ts";
import { createGvisorDriver } from "./gvisor_driver.ts";

registerDriverConformance({
  name: "gvisor",
  createDriver: (stateDir) => createGvisorDriver({ stateDir }),
  isVital: (commandLine) => commandLine.startsWith("runsc-sandbox "),
  async rootfs() {
    const dataDir = "/var/lib/paddock";
    const { rootfs } = await ensureImage({ dataDir, trust: "host" });
    return rootfs;
  },
});
