import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { tryLockFile } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import {
  type Config,
  createLog,
  loadConfig,
  type Log,
  type ReadyInfo,
  startNode,
} from "@paddock/server";
import { ensureVmGuest, findVmGuest } from "../../../images/vm/vm_guest.ts";
import { readGuestFiles } from "../../../images/guest_files.ts";
import { ensureImage, findBuiltImage, imageIsBuilt } from "../../../images/build_image.ts";
import { CliError } from "../cli_error.ts";
import { boundDaemonLog } from "../daemon_log.ts";
import { driverChecks } from "../doctor/driver_checks.ts";
import { examineHost } from "../doctor/examine_host.ts";
import { exitCodes } from "../exit_codes.ts";
import { formatElapsed } from "../format.ts";
import { localLockFile, localReadyFile } from "../local_daemon.ts";
import { printNote } from "../output.ts";
import { Progress } from "../progress.ts";
import { onSignals, type StopSignal } from "../signals.ts";
import { logUnhandledRejections } from "../unhandled_rejections.ts";
import { vscodeSupport } from "../vscode_support.ts";
import { watchLauncher } from "../watch_launcher.ts";
import { renderReport } from "./doctor.ts";

interface ServeOptions {
  listen?: { host: string; port: number };
  ingressListen?: { host: string; port: number };
  sshListen?: { host: string; port: number };
  dataDir?: string;
  readyFile?: string;
  local?: boolean;
  config?: string;
  logLevel?: string;
}

export async function serveCommand(options: ServeOptions): Promise<void> {
  const config = loadConfig({ env: Deno.env.toObject(), flags: flagsOf(options) });
  if (Deno.uid() !== 0) throw new PaddockError("NOT_ROOT");
  using _lock = options.local ? await lockLocal() : undefined;
  using _log = options.local
    ? boundDaemonLog(join(config.dataDir, "daemon.log"), config.limits.daemonLogBytes)
    : undefined;

  const log = createLog({ level: config.logLevel, format: config.logFormat });
  using _rejections = logUnhandledRejections(log);

  const stop = Promise.withResolvers<StopSignal | "launcher">();
  const starting = new AbortController();
  const serving = new AbortController();
  let signalled: StopSignal | undefined;
  using _signals = onSignals(["SIGTERM", "SIGINT", "SIGHUP"], (signal) => {
    if (signalled) {
      printNote("paddock: stopping at once; the next start removes what is left");
      process.exit(exitCodes.signalBase + constants.signals[signal]);
    }
    signalled = signal;
    starting.abort(new CliError("stopped before it could serve"));
    stop.resolve(signal);
  });
  // The local daemon outlives whoever started it; every other one belongs to its launcher.
  using _launcher = options.local ? undefined : watchLauncher(() => {
    starting.abort(new CliError("the process that started this one is gone"));
    stop.resolve("launcher");
  });

  let node: Awaited<ReturnType<typeof startNode>>;
  try {
    node = await start({ config, log }, starting.signal, serving.signal);
  } catch (error) {
    if (signalled) return;
    throw error;
  }
  try {
    announce(node.ready, config, options);
    await Promise.race([stop.promise, node.failed]);
  } finally {
    if (process.stderr.isTTY) printNote("paddock: stopping; again to stop at once");
    serving.abort(new CliError("the server stops"));
    await node.close();
  }
}

/** Errors about which doctor has more to say. */
const hostCodes = ["HOST_CANNOT_RUN_SANDBOXES", "MISSING_DEPENDENCY"];

/** `signal` gives up the start, `serving` what a node that serves has begun. */
async function start(
  { config, log }: { config: Config; log: Log },
  signal: AbortSignal,
  serving: AbortSignal,
) {
  using progress = new Progress();
  try {
    return await startNode({
      config,
      log,
      vscode: await vscodeSupport(config, serving),
      image: async (request) => {
        // Read once for both: it bundles the agent.
        const files = await readGuestFiles();
        const { built } = await imageIsBuilt({ ...request, files });
        if (!built) await refuseUnableHost(config, request.signal);
        return await ensureImage({
          ...request,
          files,
          onProgress: ({ percent, what }) =>
            progress.update({ step: `guest image: ${what}`, done: percent, total: 100 }),
        });
      },
      findImage: (digest) => findBuiltImage(config.dataDir, digest),
      vm: async ({ dataDir, build, signal }) =>
        build
          ? await ensureVmGuest({
            ...{ dataDir, kernel: config.vm.kernel, signal },
            onProgress: ({ percent, what }) =>
              progress.update({ step: `virtual machines: ${what}`, done: percent, total: 100 }),
          })
          : await findVmGuest({ dataDir }),
      signal,
    });
  } catch (error) {
    if (error instanceof PaddockError && hostCodes.includes(error.code)) {
      progress[Symbol.dispose]();
      const report = await examineHost(config, AbortSignal.timeout(60_000));
      printNote(renderReport(report));
    }
    throw error;
  }
}

/** Before minutes are spent on an image: it would be of no use where no driver works. */
async function refuseUnableHost(config: Config, signal: AbortSignal): Promise<void> {
  const drivers = await driverChecks(config, signal);
  if (drivers.some((driver) => driver.works)) return;
  throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", {
    message: drivers.map(({ name, problems }) => `${name}: ${problems.join(" ")}`).join(" "),
  });
}

/** Option names are the configuration's own, so what is not given stays undefined. */
function flagsOf(options: ServeOptions): Record<string, unknown> {
  const { listen, ingressListen, sshListen, dataDir, readyFile, config, logLevel } = options;
  const ingress = ingressListen && { listen: ingressListen };
  const ssh = sshListen && { listen: sshListen };
  const flags = { listen, ingress, ssh, dataDir, readyFile, config, logLevel };
  if (!options.local) return flags;
  return {
    ...flags,
    listen: listen ?? { host: "127.0.0.1", port: 0 },
    readyFile: readyFile ?? localReadyFile,
  };
}

async function lockLocal(): Promise<Disposable> {
  const lock = await tryLockFile(localLockFile);
  if (lock) return lock;
  throw new CliError("this machine's own daemon runs already", {
    hint: "`paddock ls` uses it; `paddock stop` stops it",
  });
}

/** For a person who started it; anything else reads the ready file and the log. */
function announce({ api, ingress, ca }: ReadyInfo, config: Config, options: ServeOptions): void {
  if (!process.stderr.isTTY) return;
  const took = formatElapsed(performance.now());
  printNote(`paddock: serving at ${api}, data in ${config.dataDir} (ready after ${took})`);
  if (ingress) {
    const wildcard = ingress.replace("https://", "https://*.");
    printNote(`  Preview URLs: ${wildcard}${ca ? `, trusted with the authority in ${ca}` : ""}`);
    if (ca) {
      printNote("  (NODE_EXTRA_CA_CERTS or DENO_CERT names it to programs; see `paddock ca`)");
    }
  }
  if (options.local || config.readyFile) return;
  printNote(
    "  To use it: export PADDOCK_ENDPOINT=" + api + " and a PADDOCK_TOKEN made by\n" +
      `  paddock token create --data-dir ${config.dataDir}`,
  );
}
