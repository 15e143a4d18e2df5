import { registerDriverConformance } from "../driver/conformance.ts";
import { ensureImage } from "../../images/build_image.ts";
import { createGvisorDriver } from "./gvisor_driver.ts";

registerDriverConformance({
  name: "gvisor",
  createDriver: (stateDir) => createGvisorDriver({ stateDir }),
  isVital: (commandLine) => commandLine.startsWith("runsc-sandbox "),
  image: () => ensureImage({ dataDir: "/var/lib/paddock", trust: "host" }),
});
