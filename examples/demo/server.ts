import { join } from "node:path";

export interface DemoServer {
  api: string;
  /** What an example's environment needs to reach this server. */
  env: Record<string, string>;
  startedInMs: number;
  /** Resolves when the server and everything it made are gone; a text says what went wrong. */
  stop(): Promise<string | undefined>;
}

const startDeadlineMs = 10 * 60_000;
const stopDeadlineMs = 30_000;

/** Runs `paddock serve` with a data directory that is thrown away afterwards. */
export async function startDemoServer(signal: AbortSignal): Promise<DemoServer> {
  const started = performance.now();
  const dataDir = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "paddock-demo-" });
  const readyFile = join(dataDir, "ready.json");
  const logFile = join(dataDir, "serve.log");
  const main = new URL("../../packages/cli/main.ts", import.meta.url).pathname;
  const log = await Deno.open(logFile, { create: true, write: true });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", main, "serve"],
      ...["--listen", "127.0.0.1:0", "--data-dir", dataDir, "--ready-file", readyFile],
    ],
    // Should the demo be killed, the server sees it and stops by itself.
    env: {
      PADDOCK_LAUNCHER_PID: String(Deno.pid),
      PADDOCK_INGRESS_LISTEN: "localhost:0",
      PADDOCK_VSCODE_INSTALL: "on_demand",
      PADDOCK_SSH_LISTEN: "localhost:0",
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // A process group of its own: Ctrl-C ends the examples first, then the demo stops the server.
    detached: true,
  }).spawn();
  const logged = child.stderr.pipeTo(log.writable).catch(() => {});
  let ended = false;
  child.status.then(() => ended = true);

  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopDeadlineMs);
    const status = await child.status;
    clearTimeout(timer);
    await logged;
    if (!status.success) return `the server ended with ${status.signal ?? status.code}: ${logFile}`;
    await Deno.remove(dataDir, { recursive: true });
  };

  try {
    const ready = await readWhenThere(readyFile, () => ended, signal);
    return {
      api: ready.api,
      env: {
        PADDOCK_ENDPOINT: ready.api,
        PADDOCK_TOKEN: ready.token,
        // The server's own authority signs preview URLs: a program on this host trusts it by this.
        ...(ready.ca && { DENO_CERT: ready.ca, NODE_EXTRA_CA_CERTS: ready.ca }),
      },
      startedInMs: performance.now() - started,
      stop,
    };
  } catch (error) {
    await stop();
    const text = await Deno.readTextFile(logFile).catch(() => "");
    await Deno.remove(dataDir, { recursive: true }).catch(() => {});
    const reason = (error as Error).message;
    throw new Error(`the server did not start: ${reason}\n${text.trim().slice(-2000)}`);
  }
}

async function readWhenThere(
  path: string,
  hasEnded: () => boolean,
  signal: AbortSignal,
): Promise<{ api: string; token: string; ca: string | null }> {
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text !== undefined) return JSON.parse(text);
    if (hasEnded()) throw new Error("it ended before it could serve");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`not ready within ${startDeadlineMs / 60_000} minutes`);
}
