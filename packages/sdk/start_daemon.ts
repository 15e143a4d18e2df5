import { spawn } from "node:child_process";
import { mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { waits } from "./_defaults.ts";
import { readEnv } from "./_environment.ts";
import { sleep } from "./deadline.ts";
import { LocalDaemonError } from "./errors.ts";
import { findPaddockCommand } from "./find_command.ts";
import { isAlive, type LocalDaemon, readyFilePath } from "./local_daemon.ts";

interface StartOptions {
  findRunning(): Promise<LocalDaemon | undefined>;
}

const pollMs = 50;

/** Starts the daemon, unless another program is just doing so: then waits for that one. */
export async function startDaemon({ findRunning }: StartOptions): Promise<LocalDaemon> {
  if (process.getuid?.() !== 0) {
    throw new LocalDaemonError(
      "no endpoint is configured and no local daemon runs; starting one needs root",
      { hint: "run as root, or set PADDOCK_ENDPOINT and PADDOCK_TOKEN" },
    );
  }
  const deadline = Date.now() + waits.daemonStartMs;
  const lockPath = join(dirname(readyFilePath()), "start.lock");
  await mkdir(dirname(lockPath), { recursive: true, mode: 0o755 });
  while (!await takeLock(lockPath)) {
    if (Date.now() > deadline) {
      throw new LocalDaemonError(`another program holds ${lockPath} and starts no daemon`, {
        hint: "remove that file if no such program runs",
      });
    }
    await sleep(pollMs);
    const running = await findRunning();
    if (running) return running;
  }
  try {
    // The holder before us may have finished between our look and our turn.
    return await findRunning() ?? await launch(deadline, findRunning);
  } finally {
    await unlink(lockPath).catch(() => {});
  }
}

/** Creates the lock file with our process number in it; one left by a dead process is removed. */
async function takeLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(String(process.pid));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
  try {
    const holder = Number(await readFile(path, "utf8"));
    const age = Date.now() - (await stat(path)).mtimeMs;
    // An empty file is one whose holder is about to write its number.
    const dead = holder > 0 ? !isAlive(holder) : age > 2_000;
    if (dead || age > 2 * waits.daemonStartMs) await unlink(path);
  } catch {
    // It went away by itself.
  }
  return false;
}

async function launch(
  deadline: number,
  findRunning: StartOptions["findRunning"],
): Promise<LocalDaemon> {
  const command = findPaddockCommand();
  const dataDir = readEnv("PADDOCK_DATA_DIR") ?? "/var/lib/paddock";
  const logPath = join(dataDir, "daemon.log");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const log = await open(logPath, "a", 0o600);
  process.stderr.write(
    `paddock: no endpoint configured, starting a local daemon (log: ${logPath})\n`,
  );
  try {
    const logStart = (await log.stat()).size;
    const child = spawn(command.file, [...command.args, "serve", "--local"], {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      cwd: "/",
      env: daemonEnvironment(),
    });
    let ended: string | undefined;
    child.once("error", (error) => ended = error.message);
    child.once("exit", (code, signal) => ended ??= signal ?? `exit code ${code}`);
    child.unref();
    while (Date.now() < deadline) {
      const running = await findRunning().catch(() => undefined);
      if (running) return running;
      if (ended !== undefined) {
        const failure = await startFailure(ended, logPath, logStart, command.file);
        // Someone else's daemon may be starting: that one is as good.
        if (!failure.message.includes("runs already")) throw failure;
      }
      await sleep(pollMs);
    }
    try {
      if (child.pid) process.kill(-child.pid, "SIGTERM");
    } catch {
      // It ended by itself just now.
    }
    throw new LocalDaemonError(
      `the local daemon was not ready within ${waits.daemonStartMs / 1000} s (log: ${logPath})`,
      { hint: "`paddock doctor` checks this host" },
    );
  } finally {
    await log.close();
  }
}

/** A daemon outlives the program that starts it: what is meant for that program is left out. */
function daemonEnvironment(): Record<string, string | undefined> {
  const { PADDOCK_LAUNCHER_PID: _launcher, PADDOCK_TOKEN: _token, ...env } = process.env;
  delete env.DENO_DEPLOY_TOKEN;
  return env;
}

async function startFailure(
  ended: string,
  logPath: string,
  logStart: number,
  file: string,
): Promise<LocalDaemonError> {
  let said = "";
  try {
    const log = await readFile(logPath);
    // The daemon begins a log that is full anew.
    said = log.subarray(log.length < logStart ? 0 : logStart).toString("utf8").trim();
  } catch {
    // The exit code alone has to do.
  }
  const tail = said.slice(-4_000);
  return new LocalDaemonError(
    `the local daemon did not start (${file}: ${ended})${tail ? `:\n${tail}` : ""}`,
    { hint: "`paddock doctor` checks this host and says what is missing" },
  );
}
