import {
  closeCodes,
  type MethodInput,
  type MethodName,
  type MethodOutput,
} from "@paddock/protocol";
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
  /** How long the server may take to agree to the end. Default: `waits.closeMs`. */
  closeMs?: number;
}

/**
 * The way to one sandbox over however many connections it takes. A call that a connection's loss cuts
 * off fails and is not repeated; a sandbox with a duration is connected to again, as is every one whose
 * server asks for it, and calls made in the meantime wait for that. To a paused one it connects when
 * something is wanted of it.
 */
export class Link {
  readonly target: Target;
  readonly sandboxId: string;
  /** Settles when there will be no connection any more; never rejects. */
  readonly closed: Promise<void>;
  stopAt: number | "session" | undefined;

  #state: "open" | "paused" | "reconnecting" | "closed" = "open";
  #connection: Connection;
  /** While reconnecting: settles with the new connection, or rejects with why there will be none. */
  #next: Promise<Connection> | undefined;
  #closedError: Error | undefined;
  /** While it is paused: resolves when it is connected to again, or never will be. */
  #resumed: { promise: Promise<void>; resolve(): void } | undefined;
  #resolveClosed!: () => void;
  /** While something that shall end the sandbox is under way: whether it did. */
  #ending: Promise<boolean> | undefined;
  readonly debug: boolean;
  readonly #closeMs: number;
  readonly #stopping = new AbortController();

  constructor(options: LinkOptions) {
    this.target = options.target;
    this.sandboxId = options.sandboxId;
    this.stopAt = options.stopAt;
    this.#connection = options.connection;
    this.debug = options.debug;
    this.#closeMs = options.closeMs ?? waits.closeMs;
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
    if (this.#state === "paused") this.#comeBack(true);
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

  /** As `connection`, but waits for somebody else to resume a sandbox that is paused. */
  async nextConnection(): Promise<Connection> {
    await Promise.resolve();
    await this.#resumed?.promise;
    return await this.connection();
  }

  /** Resolves when the connection to a sandbox that is paused has ended. */
  async paused(signal?: AbortSignal): Promise<void> {
    if (this.#state === "open") await abortable(this.#connection.ended, signal);
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    this.#stopping.abort(new ConnectionClosedError());
    if (this.#state === "paused") this.#finish(new ConnectionClosedError());
    await this.#connection.close(this.#closeMs);
    await this.closed;
  }

  /**
   * Does what shall end the sandbox, and then closes. Losing the connection meanwhile is no reason to
   * make another, unless it fails: then the sandbox lives on.
   */
  async endBy(work: () => Promise<void>): Promise<void> {
    const ended = work();
    this.#ending = ended.then(() => true, () => false);
    try {
      await ended;
    } catch (error) {
      this.#ending = undefined;
      throw error;
    }
    const controller = new AbortController();
    try {
      // The other side notices the sandbox's end by itself, and says why it closes.
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
    const invited = end.closeCode === closeCodes.comeBack || end.closeCode === closeCodes.paused;
    const final = end.kind === "closed" || this.stopAt === "session" && !invited;
    if (final || this.#stopping.signal.aborted) {
      this.#finish(this.#connection.endError());
      return;
    }
    this.#log(`connection lost (${end.reason || end.closeCode})`);
    if (end.closeCode !== closeCodes.paused) return this.#comeBack(invited);
    this.#state = "paused";
    let resolve = () => {};
    const promise = new Promise<void>((settle) => resolve = settle);
    this.#resumed = { promise, resolve };
  }

  #comeBack(invited: boolean): void {
    this.#state = "reconnecting";
    this.#resumed?.resolve();
    this.#resumed = undefined;
    this.#log("reconnecting");
    this.#next = this.#reconnectUnlessEnding(invited);
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
    this.#resumed?.resolve();
    this.#next = undefined;
    this.#closedError = error;
    this.#resolveClosed();
  }

  async #reconnectUnlessEnding(invited: boolean): Promise<Connection> {
    const lost = this.#connection;
    if (await this.#ending) throw lost.endError();
    return await this.#reconnect(invited);
  }

  async #reconnect(invited: boolean): Promise<Connection> {
    const { signal } = this.#stopping;
    let pause: number = waits.reconnectFirstMs;
    for (let attempt = 0;; attempt++) {
      try {
        if (!invited) await this.#askForEnd(signal);
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
    if (this.debug) console.error(`paddock: ${this.sandboxId}: ${what}`);
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
