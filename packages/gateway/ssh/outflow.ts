import type { Socket } from "node:net";
import type { Connection } from "ssh2";

/** What may wait for a client to take it, over all its channels, before their sources are held up. */
const MAX_UNSENT_BYTES = 256 * 1024;
/**
 * Answers to requests come on top; a client that asks and does not listen is not read any further.
 * They are small, and each takes a kilobyte while it waits.
 */
const MAX_UNSENT_ANSWERS_BYTES = 768 * 1024;

/** What ssh2 1.17 keeps to itself: that keys are being exchanged, when it queues without a bound. */
interface Innards {
  _protocol?: { _kexinit?: unknown };
}

/**
 * Holds up what is sent to a client that does not take it. ssh2 bounds what is under way by windows,
 * and those are the client's to choose.
 */
export class Outflow {
  readonly #client: Connection;
  readonly #socket: Socket;
  readonly #rekeyMs: number;
  #waiting: PromiseWithResolvers<void> | undefined;
  #rekeyTimer: ReturnType<typeof setTimeout> | undefined;
  #gone = false;

  constructor(client: Connection, socket: Socket, rekeyMs: number) {
    this.#client = client;
    this.#socket = socket;
    this.#rekeyMs = rekeyMs;
    socket.on("drain", () => this.#wake());
    client.on("rekey", () => this.#wake());
    socket.once("close", () => {
      this.#gone = true;
      this.#wake();
    });
    socket.on("data", () => {
      if (socket.writableLength <= MAX_UNSENT_ANSWERS_BYTES) return;
      socket.pause();
      socket.once("drain", () => socket.resume());
    });
  }

  /** Settles when there is room; false when the client is gone. */
  async room(): Promise<boolean> {
    while (!this.#gone && this.#full()) {
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
    return !this.#gone;
  }

  #full(): boolean {
    if ((this.#client as Innards)._protocol?._kexinit !== undefined) {
      this.#rekeyTimer ??= setTimeout(() => this.#socket.destroy(), this.#rekeyMs);
      return true;
    }
    return this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  #wake(): void {
    clearTimeout(this.#rekeyTimer);
    this.#rekeyTimer = undefined;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
