import { registerVolumeConformance } from "../driver/conformance_volumes.ts";
import { ensureImage } from "../../images/build_image.ts";
import { createGvisorDriver } from "./gvisor_driver.ts";

registerVolumeConformance({
  name: "gvisor",
  createDriver: (stateDir) => createGvisorDriver({ stateDir }),
  isVital: (commandLine) => commandLine.startsWith("runsc-sandbox "),
  image: () => ensureImage({ dataDir: "/var/lib/paddock", trust: "host" }),
});
