import type { PaddockError } from "@paddock/protocol";
import type { AnswerReader, GuestConnection } from "../http/guest_connection.ts";
import { type Headers, writeFields } from "../http/header_fields.ts";
import type { ResponseHead } from "../http/response_head.ts";
import type { Visit, VisitRequest } from "../http/visit.ts";

export interface BridgeOptions {
  /** A connection to the daemon that carried a request before, if there is one. */
  reuse(): GuestConnection | undefined;
  connect(): Promise<GuestConnection>;
  /** Answers the visitor when the daemon did not. */
  refuse(error: unknown): void;
}

/**
 * One request of an HTTP/2 session, passed on to the daemon in HTTP/1.1 as it came, and the answer
 * back. Deadlines, forwarding headers and whose request it is are the daemon's business.
 */
export class RequestBridge implements AnswerReader {
  readonly #visit: Visit;
  readonly #options: BridgeOptions;
  #daemon: GuestConnection | undefined;
  #began = false;
  #done = false;
  #uploading = false;

  constructor(visit: Visit, options: BridgeOptions) {
    this.#visit = visit;
    this.#options = options;
    visit.onGone = () => this.#finish();
    visit.onDrain = () => this.#daemon?.resume();
  }

  start(): void {
    // One that the daemon is about to close would lose a body that cannot be sent again.
    const idle = this.#visit.request.body === "none" ? this.#options.reuse() : undefined;
    if (idle) this.#send(idle);
    else this.#connect();
  }

  #connect(): void {
    this.#options.connect().then(
      (daemon) => this.#done ? daemon.destroy() : this.#send(daemon),
      (error) => this.#fail(error),
    );
  }

  #send(daemon: GuestConnection): void {
    this.#daemon = daemon;
    const { request } = this.#visit;
    const { method, body } = request;
    daemon.send({ method, body, head: plainHead(request), upgrading: false }, this);
    if (body === "none") return;
    this.#uploading = true;
    this.#visit.readBody({
      data: (chunk) => {
        if (this.#daemon === daemon && !daemon.write(chunk)) this.#visit.pauseBody();
      },
      end: (trailers) => {
        this.#uploading = false;
        if (this.#daemon === daemon) daemon.endBody(trailers);
      },
    });
  }

  informational(head: ResponseHead): void {
    this.#visit.inform({ ...head, headers: perRequest(head.headers) });
  }

  head({ status, reason, body, headers }: ResponseHead): void {
    this.#visit.begin({ status, reason, body, headers: perRequest(headers) });
    this.#began = true;
  }

  data(chunk: Uint8Array): void {
    if (!this.#visit.write(chunk)) this.#daemon?.pause();
  }

  end(trailers: Headers): void {
    if (this.#uploading) this.#daemon?.destroy();
    this.#daemon = undefined;
    this.#visit.end(trailers);
    this.#finish();
  }

  failed(error: PaddockError, untouched: boolean): void {
    const stale = untouched && this.#daemon?.used && !this.#began && !this.#done;
    this.#daemon = undefined;
    if (stale) this.#connect();
    else this.#fail(error);
  }

  drain(): void {
    this.#visit.resumeBody();
  }

  upgraded(_head: ResponseHead, socket: { destroy(): void }): void {
    socket.destroy();
    this.#finish();
  }

  #fail(error: unknown): void {
    if (this.#done) return;
    this.#finish();
    if (this.#began) this.#visit.abort();
    else this.#options.refuse(error);
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#daemon?.destroy();
    this.#daemon = undefined;
  }
}

/** The request as the visitor made it, in the other version's words. */
function plainHead({ method, target, host, headers, body }: VisitRequest): string {
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
  head += writeFields(headers.filter(({ key }) => key !== "host" && key !== "content-length"));
  if (headers.some(({ key }) => key === "te")) head += "Connection: TE\r\n";
  if (body === "chunked") head += "Transfer-Encoding: chunked\r\n";
  else if (typeof body === "object") head += `Content-Length: ${body.length}\r\n`;
  return `${head}\r\n`;
}

const OF_THE_CONNECTION: ReadonlySet<string> = new Set(["connection", "transfer-encoding"]);

function perRequest(headers: Headers): Headers {
  return headers.filter(({ key }) => !OF_THE_CONNECTION.has(key));
}
