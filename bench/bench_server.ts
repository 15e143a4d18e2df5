import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext } from "./scenario.ts";

const startDeadlineMs = 10 * 60_000;
const stopDeadlineMs = 60_000;

/** A `paddock serve` in a data directory of its own, stopped and removed when disposed. */
export async function startBenchServer(env: Record<string, string> = {}): Promise<
  Pick<BenchContext, "api" | "token" | "ca" | "dataDir" | "daemonPid"> & AsyncDisposable
> {
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-bench-"));
  const readyFile = join(dataDir, "ready.json");
  const main = new URL("../packages/cli/main.ts", import.meta.url).pathname;
  const daemon = spawn(
    Deno.execPath(),
    [
      "run",
      "-A",
      main,
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--data-dir",
      dataDir,
      "--ready-file",
      readyFile,
    ],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        PADDOCK_LOG_LEVEL: "warn",
        PADDOCK_INGRESS_LISTEN: "localhost:0",
        PADDOCK_SSH_LISTEN: "localhost:0",
        ...env,
      },
    },
  );
  const exited = once(daemon, "exit");
  const deadline = Date.now() + startDeadlineMs;
  let ready: { api: string; token: string; ca: string | null } | undefined;
  while (!ready) {
    if (daemon.exitCode !== null) throw new Error(`paddock serve exited with ${daemon.exitCode}`);
    if (Date.now() > deadline) throw new Error("paddock serve was not ready in ten minutes");
    await new Promise((r) => setTimeout(r, 50));
    ready = await readFile(readyFile, "utf8").then(JSON.parse, () => undefined);
  }
  return {
    api: ready.api,
    token: ready.token,
    ca: ready.ca,
    dataDir,
    daemonPid: daemon.pid!,
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      const hard = setTimeout(() => daemon.kill("SIGKILL"), stopDeadlineMs);
      await exited;
      clearTimeout(hard);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
