import type { MethodInput, MethodName, MethodOutput } from "@paddock/protocol";
import { waits } from "./_defaults.ts";
import type { CallOptions, Connection, ConnectionEnd } from "./connection.ts";
import { abortable, sleep, withDeadline } from "./deadline.ts";
import {
  ApiError,
  ConnectionClosedError,
  ConnectionEstablishmentError,
  ConnectionLostError,
  InvalidTokenError,
} from "./errors.ts";
import { openConnection } from "./open_connection.ts";
import { restRequest, type Target } from "./rest.ts";

export interface LinkOptions {
  target: Target;
  sandboxId: string;
  connection: Connection;
  /** End of the sandbox in epoch milliseconds; `"session"`; undefined when not known. */
  stopAt: number | "session" | undefined;
  debug: boolean;
}

/**
 * The way to one sandbox over however many connections it takes. A call that a connection's loss cuts
 * off fails and is not repeated; a sandbox with a duration is connected to again, and calls made in the
 * meantime wait for that.
 */
export class Link {
  readonly target: Target;
  readonly sandboxId: string;
  /** Settles when there will be no connection any more; never rejects. */
  readonly closed: Promise<void>;
  stopAt: number | "session" | undefined;

  #state: "open" | "reconnecting" | "closed" = "open";
  #connection: Connection;
  /** While reconnecting: settles with the new connection, or rejects with why there will be none. */
  #next: Promise<Connection> | undefined;
  #closedError: Error | undefined;
  #resolveClosed!: () => void;
  readonly #debug: boolean;
  readonly #stopping = new AbortController();

  constructor(options: LinkOptions) {
    this.target = options.target;
    this.sandboxId = options.sandboxId;
    this.stopAt = options.stopAt;
    this.#connection = options.connection;
    this.#debug = options.debug;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#watch(options.connection);
  }

  /** The connection, waited for if it is just being made again. */
  async connection(signal?: AbortSignal): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.#connection.isOpen) return this.#connection;
    // A connection that has just ended reports so a moment later.
    if (this.#state === "open") await abortable(this.#connection.ended, signal);
    await Promise.resolve();
    if (this.#next === undefined) throw this.#closedError ?? new ConnectionClosedError();
    return await withDeadline(
      waits.reconnectWaitMs,
      () =>
        new ConnectionLostError(
          `the connection to the sandbox was lost and not made again within ${
            waits.reconnectWaitMs / 1000
          } s`,
        ),
      signal,
      () => this.#next!,
    );
  }

  async call<M extends MethodName>(
    method: M,
    input: MethodInput<M>,
    options?: CallOptions,
  ): Promise<MethodOutput<M>> {
    const connection = this.#connection.isOpen
      ? this.#connection
      : await this.connection(options?.signal);
    return await connection.call(method, input, options);
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    this.expectEnd();
    await this.#connection.close();
    await this.closed;
  }

  /** The sandbox is about to end: losing the connection to it is no reason to make another. */
  expectEnd(): void {
    this.#stopping.abort(new ConnectionClosedError());
  }

  /** Waits a little for the other side to notice the sandbox's end, then closes from here. */
  async closeAfterEnd(): Promise<void> {
    this.expectEnd();
    const controller = new AbortController();
    try {
      await Promise.race([this.closed, sleep(waits.closeMs, controller.signal)]);
    } finally {
      controller.abort();
    }
    await this.close();
  }

  #watch(connection: Connection): void {
    this.#connection = connection;
    connection.ended.then((end) => this.#ended(end));
  }

  #ended(end: ConnectionEnd): void {
    if (end.kind === "closed" || this.stopAt === "session" || this.#stopping.signal.aborted) {
      this.#finish(this.#connection.endError());
      return;
    }
    this.#state = "reconnecting";
    this.#log(`connection lost (${end.reason || end.closeCode}), reconnecting`);
    this.#next = this.#reconnect();
    this.#next.then(
      (connection) => {
        this.#next = undefined;
        this.#state = "open";
        this.#log("reconnected");
        this.#watch(connection);
        // Who closed while this connection was coming about found nothing that could be closed.
        if (this.#stopping.signal.aborted) connection.close();
      },
      (error) => this.#finish(error),
    );
  }

  #finish(error: Error): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#next = undefined;
    this.#closedError = error;
    this.#resolveClosed();
  }

  async #reconnect(): Promise<Connection> {
    const { signal } = this.#stopping;
    let pause: number = waits.reconnectFirstMs;
    for (let attempt = 0;; attempt++) {
      try {
        await this.#askForEnd(signal);
        return await openConnection({
          target: this.target,
          path: `/api/v3/sandbox/${this.sandboxId}/connect`,
          sandboxId: this.sandboxId,
          deadlineMs: waits.connectMs,
          signal,
        });
      } catch (error) {
        if (signal.aborted) throw new ConnectionClosedError();
        if (isFinal(error)) {
          throw new ConnectionClosedError(undefined, (error as Error).message);
        }
        if (typeof this.stopAt === "number" && Date.now() >= this.stopAt) {
          throw new ConnectionClosedError(undefined, "the sandbox's time is up");
        }
        this.#log(`attempt ${attempt + 1} failed: ${(error as Error).message}`);
      }
      // Half of the pause is left to chance: clients cut off together should not come back together.
      await sleep(pause / 2 + Math.random() * pause / 2, signal);
      pause = Math.min(pause * 2, waits.reconnectMaxMs);
    }
  }

  /** A sandbox this program did not create may be of either kind, and others may have extended it. */
  async #askForEnd(signal: AbortSignal): Promise<void> {
    if (typeof this.stopAt === "number" && Date.now() < this.stopAt) return;
    const found = await restRequest<{ stopAt?: string | number | null; status?: string }>(
      this.target,
      { method: "GET", path: `/api/v3/sandbox/${this.sandboxId}`, signal },
    );
    if (found.status === "stopped") throw new ConnectionClosedError(undefined, "it has ended");
    if (found.stopAt === null || found.stopAt === undefined) {
      this.stopAt = "session";
      throw new ConnectionClosedError(undefined, "it lives with its creator's connection");
    }
    this.stopAt = new Date(found.stopAt).getTime();
  }

  #log(what: string): void {
    if (this.#debug) console.error(`paddock: ${this.sandboxId}: ${what}`);
  }
}

/** The server knows the sandbox is gone, or does not let us in: trying again is no use. */
function isFinal(error: unknown): boolean {
  if (error instanceof ConnectionClosedError || error instanceof InvalidTokenError) return true;
  if (error instanceof ApiError || error instanceof ConnectionEstablishmentError) {
    return error.status >= 400 && error.status < 500 && error.status !== 408 &&
      error.status !== 429;
  }
  return false;
}
