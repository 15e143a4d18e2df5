export {
  createGvisorDriver,
  type GvisorDriverOptions,
  type GvisorPlatform,
} from "./gvisor_driver.ts";
