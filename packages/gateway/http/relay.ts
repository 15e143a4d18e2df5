import { type LimitValues, PaddockError } from "@paddock/protocol";
import type { Socket } from "node:net";
import { awaitListener, isNotListening } from "../guest/await_listener.ts";
import { exposedPort, forgetExposedPort } from "../guest/exposed_port.ts";
import { endToEnd, endToEndTrailers, forwardedHead } from "./forwarded_head.ts";
import type { AnswerReader, GuestConnection } from "./guest_connection.ts";
import type { Headers } from "./header_fields.ts";
import type { ResponseHead } from "./response_head.ts";
import type { Ending, SandboxTraffic } from "./sandbox_traffic.ts";
import { splice } from "./splice.ts";
import type { Visit, VisitRequest } from "./visit.ts";

/** Requests that mean the same when they arrive twice. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export interface RelayOptions {
  visit: Visit;
  /** As the server in the sandbox is to see it. */
  request: VisitRequest;
  traffic: SandboxTraffic;
  /** Without port, as the agent knows it. */
  domain: string;
  /** When the owner gave the name (epoch milliseconds). */
  since: number;
  /** Until when (epoch milliseconds) a server that does not listen is taken for one that starts. */
  startsUntil: number;
  limits: LimitValues;
  /** Answers the visitor when the sandbox did not. */
  refuse: (visit: Visit, error: unknown) => void;
  onDone: (relay: Relay) => void;
}

/** One request on its way: from a visitor to a server in a sandbox, and the answer back. */
export class Relay implements AnswerReader, Ending {
  readonly #options: RelayOptions;
  readonly #visit: Visit;
  readonly #traffic: SandboxTraffic;
  #guest: GuestConnection | undefined;
  #waiting: AbortController | undefined;
  #began = false;
  #done = false;
  #uploading = false;
  #uploadHeld = false;
  #deadline = Infinity;
  #spliced: [Socket, Socket] | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#visit = options.visit;
    this.#traffic = options.traffic;
    this.#traffic.add(this);
    this.#visit.onGone = () => this.#finish();
    this.#visit.onDrain = () => {
      if (!this.#began) return;
      this.#deadline = Infinity;
      this.#guest?.resume();
    };
  }

  start(): void {
    this.#begin(this.#mayReuse).catch((error) => this.#fail(error));
  }

  /** A connection that the server may be about to close carries only what can be sent again. */
  get #mayReuse(): boolean {
    const { method, body, upgrade } = this.#options.request;
    return REPEATABLE.has(method) && body === "none" && upgrade === undefined;
  }

  async #begin(reuse: boolean): Promise<void> {
    const { domain, since, startsUntil } = this.#options;
    while (!this.#done) {
      try {
        return await this.#connect(reuse);
      } catch (error) {
        if (this.#done || !isNotListening(error) || Date.now() >= startsUntil) throw error;
      }
      // Who starts a server and asks for it at once need not wait for it on their own. What ends the wait may
      // be gone again when it is met, such as a guest that was late once: then it goes on.
      this.#deadline = Infinity;
      const { sandbox, signal } = this.#traffic;
      await awaitListener(sandbox, { domain, since }, startsUntil, signal);
    }
  }

  async #connect(reuse: boolean): Promise<void> {
    const { domain, since, limits } = this.#options;
    this.#deadline = performance.now() + limits.gatewayConnectTimeoutMs;
    this.#waiting = new AbortController();
    const signal = this.#waiting.signal;
    const port = await exposedPort(this.#traffic.sandbox, { domain, since }, signal);
    if (this.#done) return;
    const idle = reuse ? this.#traffic.reuse(port) : undefined;
    if (idle) return this.#send(idle);
    let guest: GuestConnection;
    try {
      guest = await this.#traffic.connect(port, signal);
    } catch (error) {
      forgetExposedPort(this.#traffic.sandbox, domain);
      throw error;
    }
    if (this.#done) return guest.destroy();
    this.#send(guest);
  }

  #send(guest: GuestConnection): void {
    this.#waiting = undefined;
    this.#guest = guest;
    const { request } = this.#options;
    const { method, body, upgrade } = request;
    guest.send(
      { method, body, head: forwardedHead(request), upgrading: upgrade !== undefined },
      this,
    );
    if (body === "none") return this.#awaitAnswer();
    this.#uploading = true;
    this.#uploadHeld = false;
    this.#awaitUpload();
    this.#visit.readBody({
      data: (chunk) => {
        if (this.#guest !== guest) return;
        if (!guest.write(chunk)) {
          this.#uploadHeld = true;
          this.#visit.pauseBody();
        }
        this.#awaitUpload();
      },
      end: (trailers) => {
        this.#uploading = false;
        if (this.#guest !== guest) return;
        guest.endBody(endToEndTrailers(trailers));
        if (!this.#began) this.#awaitAnswer();
      },
    });
  }

  #awaitAnswer(): void {
    this.#deadline = performance.now() + this.#options.limits.gatewayResponseTimeoutMs;
  }

  /** Whoever is waited for has its own time: the server to take more, or the visitor to send it. */
  #awaitUpload(): void {
    if (this.#began) return;
    const { gatewayResponseTimeoutMs, gatewayStallMs } = this.#options.limits;
    this.#deadline = performance.now() +
      (this.#uploadHeld ? gatewayResponseTimeoutMs : gatewayStallMs);
  }

  /** Called every second or so. */
  tick(now: number): void {
    if (now < this.#deadline) return;
    const { limits } = this.#options;
    if (this.#began) return this.#break();
    if (this.#guest && this.#uploading && !this.#uploadHeld) {
      return this.#fail(
        new PaddockError("REQUEST_TOO_SLOW", { details: { limit: "gatewayStallMs" } }),
      );
    }
    const [name, ms] = this.#guest
      ? ["gatewayResponseTimeoutMs", limits.gatewayResponseTimeoutMs]
      : ["gatewayConnectTimeoutMs", limits.gatewayConnectTimeoutMs];
    this.#fail(
      new PaddockError("GUEST_ANSWER_LATE", {
        message: `The server in the sandbox did not answer within ${(ms as number) / 1000} s.`,
        details: { limit: name },
      }),
    );
  }

  sandboxEnded(error: PaddockError): void {
    if (this.#spliced) {
      for (const socket of this.#spliced) socket.destroy();
      return this.#finish();
    }
    this.#fail(error);
  }

  informational(head: ResponseHead): void {
    this.#visit.inform({ ...head, headers: endToEnd(head.headers) });
  }

  head(head: ResponseHead): void {
    const { status, reason, body } = head;
    this.#visit.begin({ status, reason, body, headers: endToEnd(head.headers) });
    this.#began = true;
    this.#deadline = Infinity;
  }

  data(chunk: Uint8Array): void {
    if (this.#visit.write(chunk)) return;
    this.#deadline = performance.now() + this.#options.limits.gatewayStallMs;
    this.#guest?.pause();
  }

  end(trailers: Headers): void {
    // The server is done with the request even if the visitor is not: what is left of it goes nowhere.
    if (this.#uploading) this.#guest?.destroy();
    this.#guest = undefined;
    this.#visit.end(endToEndTrailers(trailers));
    this.#finish();
  }

  failed(error: PaddockError, untouched: boolean): void {
    const stale = untouched && this.#guest?.used && this.#mayReuse && !this.#began;
    this.#guest = undefined;
    if (stale && !this.#done) {
      this.#begin(false).catch((again) => this.#fail(again));
    } else this.#fail(error);
  }

  drain(): void {
    if (!this.#uploadHeld) return;
    this.#uploadHeld = false;
    this.#awaitUpload();
    this.#visit.resumeBody();
  }

  upgraded(head: ResponseHead, guest: Socket, rest: Buffer): void {
    const switched = this.#visit.switchProtocols({ ...head, headers: endToEnd(head.headers) });
    this.#guest = undefined;
    if (!switched || this.#done) {
      guest.destroy();
      return this.#finish();
    }
    this.#began = true;
    this.#deadline = Infinity;
    const { socket } = switched;
    this.#spliced = [socket, guest];
    // No limit on idle time: these connections wait for something to happen.
    socket.once("close", () => this.#finish());
    if (rest.length > 0) socket.write(rest);
    if (switched.rest.length > 0) guest.write(switched.rest);
    splice(socket, guest);
  }

  #fail(error: unknown): void {
    if (this.#done) return;
    if (this.#began) return this.#break();
    const { refuse } = this.#options;
    this.#finish();
    refuse(this.#visit, error);
  }

  #break(): void {
    this.#finish();
    this.#visit.abort();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#deadline = Infinity;
    this.#waiting?.abort(new PaddockError("ABORTED"));
    this.#guest?.destroy();
    this.#guest = undefined;
    this.#traffic.delete(this);
    this.#options.onDone(this);
  }
}
