import { createHash } from "node:crypto";
import type { RunningSandbox, SandboxSpec } from "@paddock/engine";
import type { Exposure } from "@paddock/gateway";
import { defaultLimits, type LimitValues } from "@paddock/protocol";
import { ensureImage } from "../../images/build_image.ts";
import { sandboxSpec, startBench } from "../../packages/engine/testing/engine_bench.ts";
import { ensureHostKey, type HostKey } from "../../packages/gateway/ssh/host_key.ts";
import { createSshGateway } from "../../packages/gateway/ssh/create_ssh_gateway.ts";

const IMAGE_DIR = "/var/lib/paddock";

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface RunOptions {
  stdin?: ReadableStream<Uint8Array> | string;
  /** More of `ssh`'s options, before the host. */
  options?: string[];
  /** Another user name. */
  user?: string;
  signal?: AbortSignal;
}

export interface SshBench extends AsyncDisposable {
  sandbox: RunningSandbox;
  /** Of the sandbox. */
  user: string;
  port: number;
  hostKey: HostKey;
  knownHosts: string;
  /** A directory for files of the test. */
  directory: string;
  logged: string[];
  /** Takes back a user name. */
  withdraw(user: string): void;
  create(spec?: Partial<SandboxSpec>): Promise<{ sandbox: RunningSandbox; user: string }>;
  /** Options of every `ssh`, `scp` and `sftp`, without the port. */
  sshOptions: string[];
  ssh(command: string, options?: RunOptions): Promise<Run>;
}

/** A real engine, a gateway of SSH and a sandbox, for the real OpenSSH client. */
export async function startSshBench(limits: Partial<LimitValues> = {}): Promise<SshBench> {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  const bench = await startBench({ image: { digest, rootfs, env: manifest.env }, prewarmSlots: 1 });
  const exposures = new Map<string, Exposure>();
  const hostKey = ensureHostKey(bench.dataDir);
  const note = (message: string, fields?: object) =>
    void bench.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const gateway = createSshGateway({
    engine: bench.engine,
    exposures: { find: () => undefined, findSsh: (name) => exposures.get(name) },
    hostKey,
    limits: { ...defaultLimits, ...limits },
    log: { debug() {}, info() {}, warn: note, error: note },
  });
  const { port } = await gateway.listen({ host: "127.0.0.1", port: 0 });
  await gateway.listen({ host: "::1", port });
  const directory = await Deno.makeTempDir({ prefix: "paddock-ssh-test-" });
  const knownHosts = `${directory}/known_hosts`;
  await Deno.writeTextFile(knownHosts, `[127.0.0.1]:${port},[::1]:${port} ${hostKey.publicKey}\n`);
  let created = 0;
  const create = async (spec: Partial<SandboxSpec> = {}) => {
    const sandbox = await bench.engine.create(
      sandboxSpec({ stopAt: Date.now() + 900_000, ...spec }),
      AbortSignal.timeout(60_000),
    );
    const user = `ssh_test${String(created++).padStart(20, "0")}`;
    exposures.set(user, {
      ...{ name: user, kind: "ssh", access: "public", accessHash: null },
      sandboxId: sandbox.spec.id,
      organizationId: "test",
      createdAt: Date.now(),
    });
    return { sandbox, user };
  };
  const { sandbox, user } = await create();
  const sshOptions = [
    ...["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"],
    ...["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "GlobalKnownHostsFile=none"],
    ...["-o", "LogLevel=ERROR"],
  ];
  return {
    ...{ sandbox, user, port, hostKey, knownHosts, directory, create, sshOptions },
    logged: bench.logged,
    withdraw: (name) => exposures.delete(name),
    ssh: (command, options = {}) =>
      run("ssh", [
        ...sshOptions,
        ...["-p", String(port)],
        ...(options.options ?? []),
        `${options.user ?? user}@127.0.0.1`,
        ...(command === "" ? [] : [command]),
      ], options),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await bench[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** So many random bytes, with the SHA-256 of what was taken of them. */
export function randomStream(
  length: number,
): { stream: ReadableStream<Uint8Array>; digest(): string; taken(): number } {
  const hash = createHash("sha256");
  const block = crypto.getRandomValues(new Uint8Array(64 * 1024));
  let taken = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      // Different from the one before, and cheaper than drawing all of it.
      block[taken % block.length]++;
      block[0] = taken >>> 16;
      const chunk = block.slice(0, length - taken);
      taken += chunk.length;
      hash.update(chunk);
      if (chunk.length > 0) controller.enqueue(chunk);
      if (taken === length) controller.close();
    },
  }, { highWaterMark: 0 });
  return { stream, digest: () => hash.digest("hex"), taken: () => taken };
}

/** Runs a program of the host to its end. */
export async function run(
  command: string,
  args: string[],
  { stdin = "", signal }: RunOptions = {},
): Promise<Run> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
    env: { SSH_AUTH_SOCK: "", LANG: "C.UTF-8" },
  }).spawn();
  const source = typeof stdin === "string" ? new Blob([stdin]).stream() : stdin;
  const ended = new AbortController();
  const fed = source.pipeTo(child.stdin, { signal: ended.signal }).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  ended.abort();
  await fed;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr), bytes: stdout };
}

/** Throws when it does not happen in time. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!await done()) {
    if (Date.now() > deadline) throw new Error("it did not happen within 20 s");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
