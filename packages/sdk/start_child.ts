import type { MethodInput, MethodOutput } from "@paddock/protocol";
import process from "node:process";
import { toPath } from "./_path.ts";
import { type ChildInit, childInit } from "./child_process.ts";
import type { SpawnOptions } from "./child_process_types.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";

type StartMethod = "spawn" | "spawnDeno" | "spawnDenoRepl";

/**
 * Starts a process by one of the methods that do, and connects its inputs and outputs. `asked` hears
 * that the request is on its way: what it sends arrives after it.
 */
export async function startChild<M extends StartMethod, T>(
  link: Link,
  method: M,
  what: Record<string, unknown>,
  options: SpawnOptions,
  create: (init: ChildInit, started: MethodOutput<M>, connection: Connection) => T & {
    kill(): Promise<void>;
  },
  asked?: (connection: Connection) => void,
): Promise<T> {
  const { signal, stdin = "null", stdout = "inherit", stderr = "inherit" } = options;
  signal?.throwIfAborted();
  const connection = await link.connection(signal);
  let input: WritableStream<Uint8Array<ArrayBuffer>> | null = null;
  let stdinStreamId: number | undefined;
  if (stdin === "piped") {
    const pipe = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    input = pipe.writable;
    stdinStreamId = connection.sendStream(pipe.readable);
  }
  let started: MethodOutput<M>;
  try {
    const answer = connection.call(method, {
      ...what,
      stdinStreamId,
      stdout: stdout === "null" ? "null" : "piped",
      stderr: stderr === "null" ? "null" : "piped",
      cwd: options.cwd === undefined ? undefined : toPath(options.cwd),
      clearEnv: options.clearEnv,
      env: options.env,
    } as MethodInput<M>);
    asked?.(connection);
    started = await answer;
  } catch (error) {
    input?.abort(error).catch(() => {});
    throw error;
  }
  const streamOf = (id: number | null) => id === null ? null : connection.receiveStream(id);
  const inherited: Promise<void>[] = [];
  const output = (
    stream: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    kind: string,
    target: NodeJS.WriteStream,
  ) => {
    if (stream === null || kind !== "inherit") return stream;
    inherited.push(copyOut(stream, target));
    return null;
  };
  const child = create(
    childInit({
      link,
      connection,
      pid: started.pid,
      stdin: input,
      stdout: output(streamOf(started.stdoutStreamId), stdout, process.stdout),
      stderr: output(streamOf(started.stderrStreamId), stderr, process.stderr),
      inherited: Promise.all(inherited),
    }),
    started,
    connection,
  );
  if (signal) {
    const kill = () => void child.kill().catch(() => {});
    if (signal.aborted) kill();
    else {
      signal.addEventListener("abort", kill, { once: true });
      const { status } = child as unknown as { status: Promise<unknown> };
      const forget = () => signal.removeEventListener("abort", kill);
      status.then(forget, forget);
    }
  }
  return child;
}

/** Copies to one of this program's outputs at its pace. What it does not take is dropped. */
async function copyOut(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  target: NodeJS.WriteStream,
): Promise<void> {
  const reader = stream.getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      if (target.destroyed || target.writableEnded) continue;
      await new Promise<void>((resolve) => target.write(value, () => resolve()));
    }
  } catch {
    // The process's status tells of a lost connection.
  }
}
