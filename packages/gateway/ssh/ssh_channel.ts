import type { Buffer } from "node:buffer";
import type { Connection, ServerChannel, Session } from "ssh2";
import type { Outflow } from "./outflow.ts";

/** What a channel is given at once. */
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;
/**
 * ssh2 gives clients 2 MiB, and as much again while less than that is unread; then a last packet. It
 * does not insist.
 */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024 + 64 * 1024;
/** Clients take 32 KiB, as the RFC asks. With none at all, ssh2 would send empty packets for ever. */
const MIN_PACKET_BYTES = 1024;

/** What ssh2 1.17 keeps to itself. */
interface ChannelInnards {
  outgoing: { packetSize: number };
  _chunk?: unknown;
  _chunkcb?: unknown;
  _chunkErr?: unknown;
  _chunkcbErr?: unknown;
}

interface SessionInnards {
  _chanInfo: { incoming: { id: number }; outgoing: { id: number; packetSize: number } };
}

interface ConnectionInnards {
  _protocol: {
    channelClose(id: number): void;
    _handlers: { CHANNEL_REQUEST(protocol: unknown, id: number, type: string): void };
  };
  _chanMgr: { remove(id: number): void };
}

export interface Exit {
  code: number;
  /** `SIGTERM`, … */
  signal: string | null;
}

/**
 * A channel of an SSH connection: bytes both ways, as fast as the slower side. It stands between us
 * and ssh2's streams, which take a client at its word: they do not say that they were closed while
 * somebody writes, and throw where nobody catches when a connection breaks at the wrong time.
 */
export class SshChannel {
  /** The client closed it, or is gone. */
  readonly closed: Promise<void>;
  readonly #channel: ServerChannel;
  readonly #outflow: Outflow;
  readonly #close: () => void;
  #isClosed = false;
  #finished = false;
  #turn: Promise<unknown> = Promise.resolve();
  #abandonWrite: (() => void) | undefined;
  #readable: PromiseWithResolvers<void> | undefined;
  #discarding = false;

  constructor(channel: ServerChannel, outflow: Outflow) {
    this.#channel = channel;
    this.#outflow = outflow;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#abandonWrite?.();
      this.#wakeReader();
      resolve();
    };
    // Data behind the end, for one, is a client's doing, and an error that nobody hears ends a daemon.
    channel.on("error", this.#close);
    channel.stderr.on("error", this.#close);
    // The one thing that ssh2 always does at once when a client closes a channel.
    channel.stderr.once("finish", this.#close);
    channel.on("readable", () => this.#onReadable());
    channel.once("end", () => this.#wakeReader());
  }

  /** For whoever learns by another way that the client is done with it. */
  markClosed(): void {
    this.#close();
  }

  get unreadBytes(): number {
    return this.#channel.readableLength;
  }

  /** The client sends more than it was allowed to. */
  get overfull(): boolean {
    return this.unreadBytes > MAX_UNREAD_BYTES;
  }

  /** What the client sends, read only as it is taken. Cancelling it drops the rest. */
  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = await this.#read();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: () => {
        this.#discarding = true;
        this.#onReadable();
      },
    }, { highWaterMark: 0 });
  }

  /** Settles when there is room for more; false when the channel is closed. */
  write(bytes: Uint8Array, to: "stdout" | "stderr" = "stdout"): Promise<boolean> {
    // One after the other: ssh2 mixes up what waits for the window on both.
    const turn = this.#turn.then(() => this.#write(bytes, to));
    this.#turn = turn;
    return turn;
  }

  /** No more comes from this side. */
  endOutput(): void {
    this.#quietly(() => (this.#channel as unknown as { eof(): void }).eof());
  }

  /** Says how the command ended, and ends the channel. */
  finish(exit?: Exit): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#quietly(() => {
      if (exit) this.#sendExit(exit);
      (this.#channel as unknown as { eof(): void }).eof();
      this.#channel.close();
    });
    this.#wakeReader();
  }

  async #write(bytes: Uint8Array, to: "stdout" | "stderr"): Promise<boolean> {
    const stream = to === "stderr" ? this.#channel.stderr : this.#channel;
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
      if (!await this.#outflow.room() || this.#isClosed || this.#finished) return false;
      const part = bytes.subarray(at, at + WRITE_BYTES);
      const taken = await new Promise<boolean>((resolve) => {
        this.#abandonWrite = () => resolve(false);
        try {
          stream.write(part, (error) => resolve(!error));
        } catch {
          resolve(false);
        }
      });
      this.#abandonWrite = undefined;
      if (!taken) return false;
      // ssh2 sends what is left here once more when the other of the two streams waits next.
      const innards = this.#channel as unknown as ChannelInnards;
      innards._chunk =
        innards._chunkcb =
        innards._chunkErr =
        innards._chunkcbErr =
          undefined;
    }
    return !this.#isClosed;
  }

  async #read(): Promise<Uint8Array | undefined> {
    while (true) {
      const { readableLength } = this.#channel;
      const chunk: Buffer | null = this.#channel.read(
        readableLength > 0 ? Math.min(readableLength, READ_BYTES) : undefined,
      );
      if (chunk !== null) return chunk;
      if (this.#channel.readableEnded || this.#isClosed || this.#finished) return undefined;
      this.#readable ??= Promise.withResolvers<void>();
      await this.#readable.promise;
    }
  }

  #onReadable(): void {
    if (this.#discarding) { while (this.#channel.read() !== null); }
    this.#wakeReader();
  }

  #wakeReader(): void {
    this.#readable?.resolve();
    this.#readable = undefined;
  }

  #sendExit({ code, signal }: Exit): void {
    const channel = this.#channel as unknown as { exit(status: number | string): void };
    if (signal !== null && KNOWN_SIGNALS.has(signal)) channel.exit(signal);
    else channel.exit(code & 0xff);
  }

  #quietly(action: () => void): void {
    if (this.#isClosed) return;
    try {
      action();
    } catch {
      // The connection broke a moment ago: there is nobody left to tell.
    }
  }
}

/** Those that SSH has names for. */
const KNOWN_SIGNALS: ReadonlySet<string> = new Set(
  "ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split(" ").map((it) => `SIG${it}`),
);

/** ssh2 leaves a session that was closed before anything ran in it, and its client, waiting for ever. */
export function answerClose(client: Connection, session: Session): void {
  const { _protocol, _chanMgr } = client as unknown as ConnectionInnards;
  const { incoming, outgoing } = (session as unknown as SessionInnards)._chanInfo;
  try {
    _protocol.channelClose(outgoing.id);
  } catch {
    // The connection broke a moment ago.
  }
  _chanMgr.remove(incoming.id);
}

/** What `onUnwanted` calls a session by. */
export function idOf(session: Session): number {
  return (session as unknown as SessionInnards)._chanInfo.incoming.id;
}

/**
 * Calls back when a client says that nobody reads what a session sends; a request of OpenSSH's own,
 * of which ssh2 does not tell.
 */
export function onUnwanted(client: Connection, callback: (id: number) => void): void {
  const handlers = (client as unknown as ConnectionInnards)._protocol._handlers;
  const original = handlers.CHANNEL_REQUEST;
  handlers.CHANNEL_REQUEST = (...request) => {
    const [, id, type] = request;
    if (type === "eow@openssh.com") callback(id);
    original(...request);
  };
}

/** Whether the client takes packets of a size that makes sense. */
export function takesPackets(channel: Session | ServerChannel): boolean {
  const outgoing = (channel as unknown as Partial<SessionInnards>)._chanInfo?.outgoing ??
    (channel as unknown as ChannelInnards).outgoing;
  return outgoing.packetSize >= MIN_PACKET_BYTES;
}
