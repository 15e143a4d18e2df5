import type { GuestProcess } from "./guest_process.ts";
import type { PseudoTerminal } from "./pseudo_terminal.ts";
import { isTemporary, readiness } from "./readiness.ts";
import { Errno, system } from "./system.ts";
import { listTasks } from "./proc.ts";
import type { Identity } from "../identity/identity.ts";

const READ_BYTES = 64 * 1024;
/** How long a terminal stays open after its leader ended while nothing comes out of it. */
const QUIET_MS = 300;
/** What else comes out of it by then; those who write on are in the background. */
const LAST_BYTES = 256 * 1024;
/** Someone who drags a window's edge changes its size many times a second. */
const RESIZE_PAUSE_MS = 30;

/** A process with the terminal that it and its session run in, and the streams of that. */
export class Terminal {
  readonly process: GuestProcess;
  readonly output: ReadableStream<Uint8Array>;
  readonly #identity: Identity;
  readonly #pty: PseudoTerminal;
  readonly #onClose: () => void;
  #sinceExit = 0;
  #wakeOnExit: (() => void) | undefined;
  #announcing = false;

  constructor(
    identity: Identity,
    process: GuestProcess,
    pty: PseudoTerminal,
    onClose: () => void,
  ) {
    this.#identity = identity;
    this.process = process;
    this.#pty = pty;
    this.#onClose = onClose;
    process.status.then(() => this.#wakeOnExit?.());
    this.output = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: READ_BYTES,
      pull: (controller) => this.#pull(controller),
      cancel: () => this.hangUp(),
    }, { highWaterMark: 0 });
  }

  /** What is typed. Its end changes nothing, its failure hangs up. */
  feed(input: ReadableStream<Uint8Array>): void {
    const over = new AbortController();
    this.process.status.then(() => over.abort());
    const sink = new WritableStream<Uint8Array>({
      write: (chunk) => this.#type(chunk as Uint8Array<ArrayBuffer>),
      // When the leader has ended, what it wrote last is still to be read.
      abort: () => void (this.process.exit || this.hangUp()),
    });
    input.pipeTo(sink, { signal: over.signal }).catch(() => {});
  }

  resize(columns: number, rows: number): void {
    if (!this.#pty.open) return;
    this.#pty.resize(columns, rows);
    // gVisor tells nobody, and does not say who is in the foreground: everybody is told.
    if (this.#announcing) return;
    this.#announcing = true;
    setTimeout(() => {
      this.#announcing = false;
      if (!this.process.exit) this.#signalSession("SIGWINCH");
    }, RESIZE_PAUSE_MS);
  }

  /** As when a line is cut: the shell passes it on to its jobs. */
  hangUp(): void {
    this.#close();
    if (this.process.exit) return;
    this.process.kill("SIGHUP");
    this.process.kill("SIGCONT");
  }

  #close(): void {
    if (!this.#pty.open) return;
    for (const fd of [this.#pty.reading, this.#pty.writing]) readiness().forget(fd);
    this.#pty.close();
    this.#onClose();
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    const view = controller.byobRequest!.view as Uint8Array<ArrayBuffer>;
    const bytes = await this.#read(view);
    if (bytes === 0) {
      this.#close();
      controller.close();
    }
    controller.byobRequest?.respond(bytes);
  }

  /** 0 at the end: nobody has the terminal any more, or its leader is gone and it is quiet. */
  async #read(view: Uint8Array<ArrayBuffer>): Promise<number> {
    while (this.#pty.open && this.#sinceExit < LAST_BYTES) {
      const { bytes, errno } = this.#readAvailable(view);
      if (bytes > 0) {
        if (this.process.exit) this.#sinceExit += bytes;
        return bytes;
      }
      if (errno !== 0 && !isTemporary(errno)) return 0;
      if (!await this.#readable()) return 0;
    }
    return 0;
  }

  /** A terminal gives little at a time: as much of that as there is, and fits. */
  #readAvailable(view: Uint8Array<ArrayBuffer>): { bytes: number; errno: number } {
    const calls = system();
    const fd = this.#pty.reading;
    let bytes = 0;
    while (bytes < view.length) {
      const rest = view.subarray(bytes);
      const read = Number(calls.read(fd, rest, BigInt(rest.length)));
      if (read < 0) return { bytes, errno: calls.errno() };
      if (read === 0) return { bytes, errno: Errno.EIO };
      bytes += read;
    }
    return { bytes, errno: 0 };
  }

  /** False when nothing comes although the leader has ended. */
  async #readable(): Promise<boolean> {
    const ready = readiness().wait(this.#pty.reading, "read").then(() => true);
    if (!this.process.exit) {
      const ended = new Promise<boolean>((resolve) => this.#wakeOnExit = () => resolve(true));
      return await Promise.race([ready, ended]);
    }
    const { promise: silence, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), QUIET_MS);
    try {
      return await Promise.race([ready, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #type(text: Uint8Array<ArrayBuffer>): Promise<void> {
    const calls = system();
    let rest = text;
    while (rest.length > 0 && this.#pty.open) {
      const fd = this.#pty.writing;
      const keyAt = this.#pty.findSignalKey(rest);
      if (keyAt === 0) {
        this.#pty.pressSignalKey(rest[0]);
        rest = rest.subarray(1);
        continue;
      }
      const part = keyAt < 0 ? rest : rest.subarray(0, keyAt);
      const written = Number(calls.write(fd, part, BigInt(part.length)));
      if (written >= 0) {
        rest = rest.subarray(written);
        continue;
      }
      const errno = calls.errno();
      if (!isTemporary(errno)) throw new Error(`A terminal cannot be written (os error ${errno})`);
      await readiness().wait(fd, "write");
    }
  }

  #signalSession(signal: Deno.Signal): void {
    const { pid } = this.process;
    this.#identity.asRoot(() => {
      for (const task of listTasks()) {
        if (task.session !== pid) continue;
        try {
          Deno.kill(task.pid, signal);
        } catch {
          // It has ended meanwhile.
        }
      }
    });
  }
}
