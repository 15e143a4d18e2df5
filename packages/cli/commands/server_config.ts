import { type Config, loadConfig } from "@paddock/server";
import type { DataDirOptions } from "./options.ts";

/** The settings a server here would run with: its file, the environment, then the command line. */
export function serverConfig({ dataDir, config }: DataDirOptions): Config {
  return loadConfig({ env: Deno.env.toObject(), flags: { dataDir, config } });
}
