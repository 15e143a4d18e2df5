import { SUBPROTOCOL } from "@paddock/protocol";
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { RawData } from "ws";
import { isBun } from "./_environment.ts";
import { withDeadline } from "./deadline.ts";
import { ConnectionEstablishmentError, NetworkError } from "./errors.ts";
import { readRefusal, reasonOf, refusalError } from "./rest.ts";

export interface SocketHandlers {
  onMessage(data: string | Uint8Array): void;
  /** The server says that the connection stands. */
  onPing(): void;
  /** Called once, however the socket ends. */
  onClose(code: number, reason: string): void;
}

/** A WebSocket that is open: the one of npm `ws`, or Bun's own. */
export interface Socket {
  /** From the server's answer; undefined where the platform does not show it. */
  readonly sandboxId: string | undefined;
  readonly traceId: string | undefined;
  /** The server agreed to `paddock.v1`. */
  readonly binaryStreams: boolean;
  /** Bytes accepted by `send` that have not left yet. */
  readonly bufferedAmount: number;
  /** A promise settles when the bytes, which were many, are the caller's again. */
  send(data: string | Uint8Array): void | Promise<void>;
  close(code: number, reason: string): void;
  /** Ends it without a word to the other side. */
  terminate(): void;
}

export interface OpenSocketOptions {
  /** http(s) URL. */
  url: string;
  headers: Record<string, string>;
  handlers: SocketHandlers;
  deadlineMs: number;
  signal?: AbortSignal;
}

/** Largest message that is accepted; agents send no larger ones. */
const maxMessageBytes = 128 * 1024 * 1024;

/** From this size on it pays to wait until a message has left, and to use its memory again. */
const largeBytes = 64 * 1024;

/** Opens a WebSocket with headers of our own. */
export async function openSocket(options: OpenSocketOptions): Promise<Socket> {
  const late = () =>
    new NetworkError(
      `${new URL(options.url).origin}: the connection was not made within ${options.deadlineMs} ms`,
    );
  return await withDeadline(
    options.deadlineMs,
    late,
    options.signal,
    (signal) => isBun ? openNative(options, signal) : openWs(options, signal),
  );
}

async function openWs(options: OpenSocketOptions, signal: AbortSignal): Promise<Socket> {
  const { default: WebSocket } = await import("ws");
  signal.throwIfAborted();
  const { handlers } = options;
  return await new Promise<Socket>((resolve, reject) => {
    const ws = new WebSocket(options.url.replace(/^http/, "ws"), [SUBPROTOCOL], {
      headers: options.headers,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      // Masks protect HTTP caches from scripts in browsers; leaving them zero saves a pass over
      // every byte that is sent.
      generateMask: () => {},
    });
    ws.binaryType = "nodebuffer";
    let response: IncomingMessage | undefined;
    let open = false;
    const abort = () => ws.terminate();
    signal.addEventListener("abort", abort, { once: true });
    ws.on("upgrade", (message) => response = message);
    ws.on("unexpected-response", (_request, message) => {
      readBody(message).then((text) => {
        const traceId = header(message, "x-deno-trace-id");
        const refusal = readRefusal(message.statusCode ?? 0, text, traceId);
        reject(refusalError(refusal, (it) => new ConnectionEstablishmentError(it)));
      }).finally(() => ws.terminate());
    });
    ws.on("error", (cause) => {
      const { origin } = new URL(options.url);
      if (!open) reject(new NetworkError(`cannot reach ${origin}: ${reasonOf(cause)}`, { cause }));
    });
    ws.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      handlers.onMessage(isBinary ? bytes : bytes.toString("utf8"));
    });
    ws.on("ping", () => handlers.onPing());
    ws.on("close", (code, reason) => {
      if (open) handlers.onClose(code, reason.toString("utf8"));
      else reject(new NetworkError("the server closed the connection before it was open"));
    });
    ws.on("open", () => {
      open = true;
      signal.removeEventListener("abort", abort);
      resolve({
        sandboxId: header(response, "x-deno-sandbox-id"),
        traceId: header(response, "x-deno-trace-id"),
        binaryStreams: ws.protocol === SUBPROTOCOL,
        get bufferedAmount() {
          return ws.bufferedAmount;
        },
        send(data) {
          if (typeof data === "string" || data.length < largeBytes) return ws.send(data);
          return new Promise((resolve, reject) =>
            ws.send(data, (error) => error ? reject(error) : resolve())
          );
        },
        close: (code, reason) => ws.close(code, reason),
        terminate: () => ws.terminate(),
      });
    });
  });
}

/** Bun puts its own WebSocket in the place of npm `ws`; it takes headers but shows no answer. */
async function openNative(options: OpenSocketOptions, signal: AbortSignal): Promise<Socket> {
  type HeadersInit = { headers: Record<string, string>; protocols: string[] };
  type WebSocketWithHeaders = new (url: string, init: HeadersInit) => WebSocket;
  const { handlers } = options;
  return await new Promise<Socket>((resolve, reject) => {
    const ws = new (WebSocket as unknown as WebSocketWithHeaders)(
      options.url.replace(/^http/, "ws"),
      { headers: options.headers, protocols: [SUBPROTOCOL] },
    );
    ws.binaryType = "arraybuffer";
    let open = false;
    let closed = false;
    const abort = () => ws.close();
    signal.addEventListener("abort", abort, { once: true });
    const fail = (why: string) => {
      const { origin } = new URL(options.url);
      reject(new NetworkError(`cannot open a WebSocket at ${origin}: ${why}`));
    };
    ws.onmessage = ({ data }) =>
      handlers.onMessage(typeof data === "string" ? data : new Uint8Array(data));
    // An event that only Bun has.
    ws.addEventListener("ping", () => handlers.onPing());
    ws.onerror = (event) => {
      if (!open) fail((event as ErrorEvent).message || "refused");
    };
    ws.onclose = ({ code, reason }) => {
      if (closed) return;
      closed = true;
      if (open) handlers.onClose(code, reason);
      else fail(reason || `closed with code ${code}`);
    };
    ws.onopen = () => {
      open = true;
      signal.removeEventListener("abort", abort);
      resolve({
        sandboxId: undefined,
        traceId: undefined,
        binaryStreams: ws.protocol === SUBPROTOCOL,
        get bufferedAmount() {
          return ws.bufferedAmount;
        },
        send: (data) => ws.send(data as string | Uint8Array<ArrayBuffer>),
        close: (code, reason) => ws.close(code, reason),
        terminate() {
          const { terminate } = ws as WebSocket & { terminate?: () => void };
          if (terminate) terminate.call(ws);
          else ws.close();
        },
      });
    };
  });
}

function header(message: IncomingMessage | undefined, name: string): string | undefined {
  const value = message?.headers[name];
  return typeof value === "string" ? value : undefined;
}

/** The beginning of a refusal's body; a server that is slow to send it is not waited for long. */
async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => message.destroy(), 2_000);
  try {
    for await (const chunk of message) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > 64 * 1024) break;
    }
  } catch {
    // What came has to do.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
