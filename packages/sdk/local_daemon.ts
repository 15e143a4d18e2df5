import { readFile } from "node:fs/promises";
import process from "node:process";
import { waits } from "./_defaults.ts";
import { readEnv } from "./_environment.ts";
import { sleep, withDeadline } from "./deadline.ts";
import { LocalDaemonError, NetworkError } from "./errors.ts";
import { startDaemon } from "./start_daemon.ts";

/** What a running daemon says about itself in its ready file. */
export interface LocalDaemon {
  /** URL of its API. */
  api: string;
  token: string;
  pid: number;
}

export interface FindDaemonOptions {
  debug: boolean;
  signal?: AbortSignal;
}

const checkedFor = 5_000;
let known: { daemon: LocalDaemon; checkedAt: number } | undefined;
let finding: Promise<LocalDaemon> | undefined;

/** Where the daemon of this host says how to reach it. */
export function readyFilePath(): string {
  return readEnv("PADDOCK_LOCAL_READY_FILE") ?? "/run/paddock/daemon.json";
}

/** The daemon of this host: the one that runs, or else one that is started now. */
export async function findLocalDaemon(options: FindDaemonOptions): Promise<LocalDaemon> {
  if (known && Date.now() - known.checkedAt < checkedFor) return known.daemon;
  // Calls at the same time share one search; a caller that gives up must not end it for others.
  finding ??= joinOrStart(options.debug).finally(() => finding = undefined);
  const daemon = await withDeadline(
    waits.daemonStartMs + waits.healthMs,
    () => new LocalDaemonError("the local daemon did not start in time"),
    options.signal,
    () => finding!,
  );
  known = { daemon, checkedAt: Date.now() };
  return daemon;
}

/** Called when the daemon did not answer: the next search looks again. */
export function forgetLocalDaemon(): void {
  known = undefined;
}

async function joinOrStart(debug: boolean): Promise<LocalDaemon> {
  if (process.platform !== "linux") {
    throw new LocalDaemonError("sandboxes run on Linux hosts only", {
      hint: "set PADDOCK_ENDPOINT and PADDOCK_TOKEN to use a Paddock server elsewhere",
    });
  }
  const running = await runningDaemon();
  if (running) {
    if (debug) console.error(`paddock: using the local daemon at ${running.api}`);
    return running;
  }
  return await startDaemon({ findRunning: runningDaemon });
}

/** The daemon that the ready file names, if it is alive. A file left by a dead one does not count. */
export async function runningDaemon(): Promise<LocalDaemon | undefined> {
  const daemon = await readReadyFile();
  if (!daemon || !isAlive(daemon.pid)) return undefined;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await isHealthy(daemon)) return daemon;
    if (!await looksLikeServe(daemon.pid)) return undefined;
    await sleep(300);
  }
  throw new LocalDaemonError(
    `the local daemon (process ${daemon.pid}, ${daemon.api}) runs but does not answer`,
    { hint: "`paddock stop` ends it; the next program starts a new one" },
  );
}

async function readReadyFile(): Promise<LocalDaemon | undefined> {
  const path = readyFilePath();
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new LocalDaemonError(`cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      hint: code === "EACCES"
        ? "only root can use the local daemon; or set PADDOCK_ENDPOINT and PADDOCK_TOKEN"
        : undefined,
    });
  }
  try {
    const { api, token, pid } = JSON.parse(text);
    if (typeof api === "string" && typeof token === "string" && Number.isInteger(pid)) {
      return { api: api.replace(/\/+$/, ""), token, pid };
    }
  } catch {
    // Half a file is no file: a daemon writes it whole.
  }
  return undefined;
}

async function isHealthy(daemon: LocalDaemon): Promise<boolean> {
  try {
    return await withDeadline(
      waits.healthMs,
      () => new NetworkError("no answer"),
      undefined,
      async (signal) => {
        const response = await fetch(`${daemon.api}/health`, { signal });
        await response.arrayBuffer();
        return response.ok;
      },
    );
  } catch {
    return false;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** Process numbers are used again: one that is no server is not the daemon, however alive. */
async function looksLikeServe(pid: number): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").includes("serve");
  } catch {
    return false;
  }
}
