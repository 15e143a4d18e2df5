import type { Socket } from "node:net";
import { PaddockError } from "@paddock/protocol";

/** A client may not speak before it has its 101; what fits here is kept, not judged. */
const MAX_EARLY_BYTES = 64 * 1024;

/**
 * A client that waits for its WebSocket. It is read meanwhile, because only a socket that is read
 * tells that its other end has gone.
 */
export class EarlyClient {
  readonly #socket: Socket;
  readonly #gone = new AbortController();
  #early: Uint8Array[] = [];
  #earlyBytes = 0;

  constructor(socket: Socket, head: Uint8Array) {
    this.#socket = socket;
    this.#keep(head);
    socket.on("data", this.#keep);
    socket.on("end", this.#left);
    socket.on("close", this.#left);
    // An error is followed by "close"; without a listener it would end the process.
    socket.on("error", () => {});
    if (socket.destroyed) this.#left();
  }

  /** Aborted when the client is gone before its answer. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Ends the watch and hands over what was read; the socket is paused. */
  take(): Uint8Array {
    this.#socket.pause();
    this.#socket.removeListener("data", this.#keep);
    this.#socket.removeListener("end", this.#left);
    this.#socket.removeListener("close", this.#left);
    return Buffer.concat(this.#early);
  }

  #left = (): void => {
    this.#gone.abort(new PaddockError("ABORTED", { message: "The client has gone." }));
  };

  #keep = (chunk: Uint8Array): void => {
    if (chunk.length === 0) return;
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes <= MAX_EARLY_BYTES) {
      this.#early.push(chunk);
      return;
    }
    this.#early = [];
    this.#socket.destroy();
  };
}
