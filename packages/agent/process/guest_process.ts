import type { Identity } from "../identity/identity.ts";
import { listTasks } from "./proc.ts";
import { discard, outputStream } from "./output_stream.ts";
import type { ReadablePipe } from "./pipe_streams.ts";
import { posixSpawn } from "./posix_spawn.ts";

export type ProcessKind = "command" | "deno" | "vscode" | "repl" | "root";
export type OutOfMemory = "high-confidence" | "low-confidence" | null;

export interface ExitStatus {
  success: boolean;
  code: number;
  signal: string | null;
  oom: OutOfMemory;
}

export interface SpawnOptions {
  kind: ProcessKind;
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  stdin: "piped" | "null";
  stdout: "piped" | "null";
  stderr: "piped" | "null";
  /** Standard input, output and error, in place of the three above. */
  fds?: [number, number, number];
  /** A terminal's path, for all three. It becomes the one that controls the session. */
  terminal?: string;
  /** Whom the process runs as; the sandbox user when left out. */
  user?: { uid: number; gid: number };
}

/** What is needed of a child, whichever way it was started. */
export interface SpawnedChild {
  pid: number;
  status: Promise<Deno.CommandStatus>;
  stdin?: WritableStream<Uint8Array>;
  stdout?: ReadablePipe;
  stderr?: ReadablePipe;
}

/** A process of the guest, the leader of a session of its own. */
export class GuestProcess {
  readonly kind: ProcessKind;
  readonly pid: number;
  readonly status: Promise<ExitStatus>;
  readonly #child: SpawnedChild;
  readonly #identity: Identity;
  #exit: ExitStatus | undefined;
  #outOfMemory: OutOfMemory = null;

  private constructor(kind: ProcessKind, child: SpawnedChild, identity: Identity) {
    this.kind = kind;
    this.pid = child.pid;
    this.#child = child;
    this.#identity = identity;
    this.status = child.status.then(({ success, code, signal }) =>
      this.#exit = { success, code, signal, oom: this.#outOfMemory }
    );
    this.status.catch(() => {});
  }

  /** Throws Deno's error classes: NotFound for the command or the directory, PermissionDenied, … */
  static spawn(identity: Identity, options: SpawnOptions): GuestProcess {
    const child = posixSpawn(identity, options);
    return new GuestProcess(options.kind, child, identity);
  }

  get exit(): ExitStatus | undefined {
    return this.#exit;
  }

  /** Takes standard output or error. Each can be taken once. */
  output(name: "stdout" | "stderr"): ReadableStream<Uint8Array> {
    const { stream, lookAgain } = this.#child[name]!;
    return outputStream(stream, this.status, lookAgain);
  }

  discardOutput(name: "stdout" | "stderr"): void {
    void discard(this.#child[name]!.stream);
  }

  /** Feeds standard input until the stream ends or the process no longer reads. */
  feed(input: ReadableStream<Uint8Array>): void {
    const aborter = new AbortController();
    const stop = () => aborter.abort(new Error("The process has ended"));
    this.status.then(stop, stop);
    input.pipeTo(this.#child.stdin!, { signal: aborter.signal }).catch(() => {});
  }

  closeInput(): void {
    this.#child.stdin!.close().catch(() => {});
  }

  /** Of a process that nobody has taken. */
  abandonStreams(): void {
    this.closeInput();
    this.discardOutput("stdout");
    this.discardOutput("stderr");
  }

  /**
   * Signals the process and everything in its group. SIGKILL also reaches descendants that left the
   * group. False when it is gone already.
   */
  kill(signal: Deno.Signal): boolean {
    if (this.#exit) return false;
    return this.#identity.asRoot(() => {
      // Found first, while they still descend from it; ended last, for it must not see them end.
      const strays = signal === "SIGKILL" ? this.#stray() : [];
      const sent = send(-this.pid, signal) || send(this.pid, signal);
      for (const pid of strays) send(pid, signal);
      return sent;
    });
  }

  killForMemory(): void {
    this.#outOfMemory = "high-confidence";
    this.kill("SIGKILL");
  }

  #stray(): number[] {
    const tasks = listTasks();
    const family = new Set([this.pid]);
    for (let grown = true; grown;) {
      grown = false;
      for (const { pid, parent, session } of tasks) {
        if (family.has(pid) || !(family.has(parent) || session === this.pid)) continue;
        family.add(pid);
        grown = true;
      }
    }
    family.delete(this.pid);
    return [...family];
  }
}

function send(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
