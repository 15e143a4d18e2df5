import { version } from "../version.ts";
import type { GatewayConfig } from "@paddock/gateway";
import type { Check } from "./check.ts";
import { driverChecks, type DriverReport } from "./driver_checks.ts";
import { gatewayChecks } from "./gateway_checks.ts";
import { type ImageState, imageState } from "./image_state.ts";
import { networkChecks } from "./network_checks.ts";
import { storageChecks } from "./storage_checks.ts";
import { systemChecks } from "./system_checks.ts";

export interface HostReport {
  /** At least one driver works. */
  ok: boolean;
  version: string;
  drivers: DriverReport[];
  checks: Check[];
  image: ImageState;
  /** What to do, in order, each a command where one does it. Empty when nothing is missing. */
  fixes: string[];
}

export async function examineHost(
  config: GatewayConfig & { dataDir: string; imageTrust: "host" | "debian" },
  signal: AbortSignal,
): Promise<HostReport> {
  const [system, network, storage, gateway, image] = await Promise.all([
    systemChecks(),
    networkChecks(signal),
    storageChecks(config.dataDir, signal),
    gatewayChecks(config),
    imageState(config),
  ]);
  const drivers = await driverChecks(config, signal);
  const checks = [...system, ...network, ...storage, ...gateway];
  const ok = drivers.some((driver) => driver.works);
  const fixes = [
    ...checks.filter((check) => check.status !== "ok").map((check) => check.fix),
    ...ok ? [] : drivers.map((driver) => driver.fix),
    ...image.present ? [] : [image.fix],
  ];
  return {
    ok,
    version,
    drivers,
    checks,
    image,
    fixes: [...new Set(fixes.filter((fix) => typeof fix === "string"))],
  };
}
