import { registerCheckpointConformance } from "../driver/conformance_checkpoint.ts";
import { ensureImage } from "../../images/build_image.ts";
import { createGvisorDriver } from "./gvisor_driver.ts";

registerCheckpointConformance({
  name: "gvisor",
  createDriver: (stateDir) => createGvisorDriver({ stateDir }),
  isVital: (commandLine) => commandLine.startsWith("runsc-sandbox "),
  image: () => ensureImage({ dataDir: "/var/lib/paddock", trust: "host" }),
});
