import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import WebSocket from "ws";

const namespace = "paddock-bench";
const guestAddress = "10.222.0.2";
const gateway = "10.222.0.1";

interface BundleConfig {
  process: { env: string[] };
  linux: { namespaces: { type: string; path?: string }[] };
}

/** The machine's own mount table names the image it was given. */
export async function imageRootfs(sandboxDir: string): Promise<string> {
  const fstab = await readFile(join(sandboxDir, "fstab"), "utf8");
  const line = fstab.split("\n").find((entry) => entry.split(/\s+/)[0].endsWith("/rootfs"));
  if (!line) throw new Error(`no rootfs in ${sandboxDir}/fstab`);
  return line.split(/\s+/)[0];
}

/** A checkpoint to restore, and what the agent in it demands. */
export interface RawCheckpoint {
  directory: string;
  token: string;
}

export interface RawMachines {
  /** From the start of runsc to the first answer. */
  coldStartMs(): Promise<number>;
  /** How long runsc writes a machine that has just answered, which ends by it, or goes on. */
  checkpointMs(then?: "ends" | "goes on"): Promise<number>;
}

/**
 * The floor of a cold start, or of a restore: `runsc run` of the same bundle (same image, agent, first process and
 * runsc flags) with nothing of the engine around it: no record, no cgroup, no disk, no packet filter.
 * The network namespace is made beforehand and not counted.
 */
export async function rawRunsc(
  sandboxDir: string,
  rootfs: string,
  checkpoint?: RawCheckpoint,
): Promise<
  RawMachines & AsyncDisposable
> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "paddock-bench-raw-"));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  for (const name of ["config.json", "hosts", "resolv.conf", "hostname", "meminfo"]) {
    await cp(join(sandboxDir, name), join(dir, name)).catch(() => {});
  }
  for (const name of ["root", "layers"]) await mkdir(join(dir, name));
  const text = (await readFile(join(dir, "config.json"), "utf8")).replaceAll(sandboxDir, dir);
  const config = JSON.parse(text) as BundleConfig;
  for (const item of config.linux.namespaces) {
    if (item.type === "network") item.path = `/run/netns/${namespace}`;
  }
  await writeFile(join(dir, "config.json"), JSON.stringify(config));
  const environment = new Map(
    config.process.env.map((line) => line.split(/=(.*)/s) as [string, string]),
  );
  const agent = `${guestAddress}:${environment.get("PADDOCK_AGENT_PORT")}`;
  const token = checkpoint?.token ?? environment.get("PADDOCK_AGENT_TOKEN")!;
  const how = checkpoint ? ["restore", "--image-path", checkpoint.directory] : ["run"];

  await command("ip", ["netns", "add", namespace]);
  made.defer(() => command("ip", ["netns", "delete", namespace]));
  await command(
    "ip",
    "link add pdbench type veth peer name eth0 netns".split(" ").concat(namespace),
  );
  await command("ip", ["addr", "add", `${gateway}/30`, "dev", "pdbench"]);
  await command("ip", ["link", "set", "pdbench", "up"]);

  const release = made.move();
  const state = join(dir, "state");
  let run = 0;
  /** Starts a machine, waits for its answer, and does something with it before it ends. */
  const withMachine = async (use: (id: string, pid: number) => Promise<number | void>) => {
    // runsc takes the address off the link; every run starts from a fresh one.
    const inside = ["-n", namespace];
    await command("ip", [...inside, "addr", "flush", "dev", "eth0"]);
    await command("ip", [...inside, "addr", "add", `${guestAddress}/30`, "dev", "eth0"]);
    await command("ip", [...inside, "link", "set", "lo", "up"]);
    await command("ip", [...inside, "link", "set", "eth0", "up"]);
    await command("ip", [...inside, "route", "add", "default", "via", gateway]);
    const disk = join(dir, `disk-${run++}`);
    await mkdir(disk);
    const id = `raw-${process.pid}-${String(run).padStart(4, "0")}`;
    const start = performance.now();
    const machine = spawn("nsenter", [
      ...[`--net=/run/netns/${namespace}`, "--", "unshare", "--mount", "--pid", "--fork"],
      ...["--kill-child", "--mount-proc", "sh", "-c"],
      `mount --bind ${rootfs} ${dir}/root && mount -t tmpfs none /proc/sys/net/core && exec "$@"`,
      ...["raw", "runsc", "--root", state, "--platform=ptrace", "--ignore-cgroups"],
      ...["--net-disconnect-ok", `--overlay2=root:dir=${disk}`],
      ...[...how, "--bundle", dir],
      id,
    ], { stdio: "ignore" });
    const exited = once(machine, "exit");
    try {
      await firstAnswer(agent, token, 30_000);
      const answered = performance.now() - start;
      return await use(id, machine.pid!) ?? answered;
    } finally {
      machine.kill("SIGKILL");
      await exited;
      await rm(state, { recursive: true, force: true });
      await rm(disk, { recursive: true, force: true });
    }
  };
  return {
    coldStartMs: () => withMachine(() => Promise.resolve()),
    checkpointMs: (then = "ends") =>
      withMachine(async (id, pid) => {
        const image = join(dir, `image-${run}`);
        const start = performance.now();
        try {
          await command("nsenter", [
            ...[`--pid=/proc/${pid}/ns/pid_for_children`, "--", "runsc", "--root", state],
            ...["checkpoint", "--compression=none", "--image-path", image],
            ...(then === "goes on" ? ["--leave-running"] : []),
            id,
          ]);
          return performance.now() - start;
        } finally {
          await rm(image, { recursive: true, force: true });
        }
      }),
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

/** As the engine does it: a network that comes up loses packets, and a new attempt is quicker than waiting. */
const FIRST_ATTEMPT_MS = 30;
const LONGEST_ATTEMPT_MS = 2_000;

async function connected(agent: string, patienceMs: number): Promise<Socket | undefined> {
  const [host, port] = agent.split(":");
  const socket = connect({ host, port: Number(port) });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(patienceMs) });
    return socket;
  } catch {
    socket.destroy();
    // One that is refused is so at once.
    await new Promise((r) => setTimeout(r, 5));
  }
}

/** Connects as soon as somebody listens, opens a REPL and waits for one evaluation. */
export async function firstAnswer(agent: string, token: string, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let patienceMs = FIRST_ATTEMPT_MS;
  while (performance.now() < deadline) {
    const connection = await connected(agent, patienceMs);
    if (!connection) {
      patienceMs = Math.min(patienceMs * 1.3, LONGEST_ATTEMPT_MS);
      continue;
    }
    const socket = new WebSocket(`ws://${agent}/rpc`, [], {
      headers: { authorization: `Bearer ${token}`, "x-paddock-encoding": "v3" },
      createConnection: () => connection,
      handshakeTimeout: deadlineMs,
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("open", () => resolve());
        socket.once("error", reject);
      });
      const call = (id: number, method: string, params: unknown) =>
        new Promise<{ ok: unknown }>((resolve, reject) => {
          socket.on("message", (data) => {
            const message = JSON.parse(String(data));
            if (message.id !== id) return;
            if (message.result?.ok === undefined) reject(new Error(String(data)));
            else resolve(message.result);
          });
          socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
        });
      const repl = await call(1, "spawnDenoRepl", { stdout: "null", stderr: "null" });
      const { pid } = repl.ok as { pid: number };
      const answer = await call(2, "denoReplEval", { pid, code: "1 + 1" });
      if (answer.ok !== 2) throw new Error(`answered ${JSON.stringify(answer)}`);
      return;
    } catch (error) {
      if (!/ECONNRESET/.test(String(error))) throw error;
      await new Promise((r) => setTimeout(r, 5));
    } finally {
      socket.terminate();
    }
  }
  throw new Error(`no answer from the raw machine in ${deadlineMs} ms`);
}

async function command(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null" }).output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
