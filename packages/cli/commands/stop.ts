import process from "node:process";
import { sleep } from "@paddock/driver";
import { tryLockFile } from "@paddock/engine";
import { CliError } from "../cli_error.ts";
import { localLockFile, readLocalReady } from "../local_daemon.ts";
import { printJson, printLine } from "../output.ts";
import type { JsonOption } from "./options.ts";

const deadlineMs = 60_000;

export async function stopCommand(options: JsonOption): Promise<void> {
  const pid = await stopLocalDaemon();
  if (options.json) printJson({ stopped: pid !== undefined, pid: pid ?? null });
  else printLine(pid === undefined ? "No local daemon runs." : `Stopped the daemon (pid ${pid}).`);
}

/** Resolves when the daemon is gone: that is when its lock is free. */
async function stopLocalDaemon(): Promise<number | undefined> {
  if (await lockIsFree()) return undefined;
  const ready = await readLocalReady();
  if (ready === undefined) {
    throw new CliError("the local daemon is just starting or stopping", { hint: "try again" });
  }
  try {
    process.kill(ready.pid, "SIGTERM");
  } catch (error) {
    throw new CliError(`cannot stop process ${ready.pid}: ${(error as Error).message}`, {
      hint: Deno.uid() === 0 ? undefined : "the daemon belongs to root: use sudo",
      cause: error,
    });
  }
  const deadline = performance.now() + deadlineMs;
  while (!await lockIsFree()) {
    if (performance.now() > deadline) {
      throw new CliError(`the daemon (pid ${ready.pid}) still runs after ${deadlineMs / 1000} s`);
    }
    await sleep(50);
  }
  return ready.pid;
}

async function lockIsFree(): Promise<boolean> {
  using lock = await tryLockFile(localLockFile);
  return lock !== undefined;
}
