export { createFirecrackerDriver, type FirecrackerDriverOptions } from "./firecracker_driver.ts";
export { type FetchOptions, fetchRelease, PINNED_RELEASE } from "./fetch_release.ts";
export {
  findFirecracker,
  type FirecrackerInstallation,
  installedPrograms,
  installFirecracker,
  type InstallOptions,
} from "./installation.ts";
export { SUPPORTED_RANGE } from "./_version.ts";
