import {
  fetchRelease,
  type FirecrackerInstallation,
  installFirecracker,
} from "@paddock/driver-firecracker";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli_error.ts";
import { printJson, printLine } from "../output.ts";
import { Progress } from "../progress.ts";
import { onSignals } from "../signals.ts";
import type { DataDirOptions, JsonOption } from "./options.ts";
import { serverConfig } from "./server_config.ts";

export interface SetupFirecrackerOptions extends JsonOption, DataDirOptions {
  binary?: string;
  jailer?: string;
  release?: string;
  from?: string;
  sha256?: string;
}

export async function setupFirecracker(options: SetupFirecrackerOptions): Promise<void> {
  const given = options.binary !== undefined || options.jailer !== undefined;
  if (given && (options.binary === undefined || options.jailer === undefined)) {
    throw usageError("--binary and --jailer belong together: both programs are of one version");
  }
  if (given && (options.release ?? options.from ?? options.sha256) !== undefined) {
    throw usageError(
      "--release, --from and --sha256 are of a download, --binary is instead of one",
    );
  }
  const { dataDir } = serverConfig(options);
  const stopped = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM"], () => {
    stopped.abort(new CliError("interrupted; nothing half-installed is left in place"));
  });
  const { signal } = stopped;
  const installed = given
    ? await installFirecracker({
      ...{ dataDir, signal },
      firecracker: resolve(options.binary!),
      jailer: resolve(options.jailer!),
      source: resolve(options.binary!),
    })
    : await download(options, dataDir, signal);
  if (options.json) printJson(installed);
  else {
    printLine(`Firecracker ${installed.version}`);
    for (const program of ["firecracker", "jailer"] as const) {
      printLine(`  ${installed[program]}  sha256 ${installed.sha256[program]}`);
    }
  }
}

async function download(
  { release, from, sha256 }: SetupFirecrackerOptions,
  dataDir: string,
  signal: AbortSignal,
): Promise<FirecrackerInstallation> {
  using progress = new Progress();
  return await fetchRelease({
    ...{ dataDir, version: release, sha256, signal },
    from: from ?? Deno.env.get("PADDOCK_FIRECRACKER_RELEASES"),
    onProgress: (done, total) => progress.update({ step: "downloading Firecracker", done, total }),
  });
}
