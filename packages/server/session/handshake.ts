import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { PaddockError, SUBPROTOCOL } from "@paddock/protocol";

/** Fixed by RFC 6455. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export function acceptOf(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

export interface ClientHandshake {
  key: string;
  /** `paddock.v1` when the client offers it; other subprotocols are not ours to choose. */
  protocol: string | undefined;
}

/** Checks what a client must send to open a WebSocket; says what is wrong with it otherwise. */
export function readHandshake(request: IncomingMessage): ClientHandshake {
  const { headers } = request;
  if (request.method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket") {
    throw new PaddockError("UPGRADE_REQUIRED");
  }
  if (headers["sec-websocket-version"] !== "13") {
    throw new PaddockError("UPGRADE_REQUIRED", {
      field: "sec-websocket-version",
      message: "Only version 13 of the WebSocket protocol is spoken here.",
    });
  }
  const key = headers["sec-websocket-key"];
  if (typeof key !== "string" || !/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    throw new PaddockError("INVALID_REQUEST", {
      field: "sec-websocket-key",
      message: "A WebSocket key is 16 bytes in base64.",
    });
  }
  const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
  return { key, protocol: offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : undefined };
}
