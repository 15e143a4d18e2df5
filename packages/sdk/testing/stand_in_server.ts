import {
  type MethodInput,
  type MethodName,
  richCodec,
  StreamHub,
  SUBPROTOCOL,
} from "@paddock/protocol";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

type Answer = (input: MethodInput<MethodName>, peer: Peer) => unknown;

/** One connected client, from the server's side. */
export interface Peer {
  streams: StreamHub;
  socket: WebSocket;
}

export interface StandInServer extends AsyncDisposable {
  endpoint: string;
  /** The configurations of the sandboxes that were created. */
  created: Record<string, unknown>[];
  peers: Peer[];
  /** Bytes of every method call so far, by method. */
  calls: string[];
  /** Every connection is cut, without a word. */
  dropAll(): void;
  /** Connections stay open and nothing is answered any more, pings included. */
  freeze(): void;
  /** What upgrades are refused with from now on. */
  refuse: { status: number; body: unknown } | undefined;
}

export const standInId = "sbx_ams_0123456789abcdefghjk";

/**
 * The server's and the agent's side of the wire, as far as this library's own behaviour needs it:
 * connections that break in ways a real server does not break them on request.
 */
export async function startStandIn(
  answers: Partial<Record<MethodName, Answer>>,
  rest: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    void response.writeHead(404).end(),
): Promise<StandInServer> {
  const http = createServer(rest);
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  sockets.on("headers", (headers) => headers.push(`x-deno-sandbox-id: ${standInId}`));
  let frozen = false;
  const server: StandInServer = {
    endpoint: "",
    created: [],
    peers: [],
    calls: [],
    refuse: undefined,
    dropAll: () => server.peers.forEach(({ socket }) => socket.terminate()),
    freeze: () => frozen = true,
    async [Symbol.asyncDispose]() {
      server.dropAll();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  http.on("upgrade", (request, socket, head) => {
    if (server.refuse) {
      const body = JSON.stringify(server.refuse.body);
      socket.end(
        `HTTP/1.1 ${server.refuse.status} Refused\r\ncontent-length: ${body.length}\r\n` +
          `x-deno-trace-id: trace-1\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    const config = request.headers["x-deno-sandbox-config"];
    if (typeof config === "string") server.created.push(JSON.parse(atob(config)));
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const streams = new StreamHub({
        mode: "credit",
        codec: richCodec,
        send: (data) => ws.send(data),
      });
      const peer: Peer = { streams, socket: ws };
      server.peers.push(peer);
      ws.on("close", () => streams.close());
      ws.on("message", (data, isBinary) => {
        if (frozen) return;
        const bytes = data as Uint8Array<ArrayBuffer>;
        if (isBinary) return streams.handle(new Uint8Array(bytes));
        const text = new TextDecoder().decode(bytes);
        if (text === "ping") return ws.send("pong");
        receive(text, peer);
      });
    });
  });

  function receive(text: string, peer: Peer): void {
    const message = richCodec.decodeMessage(text);
    if (!("method" in message)) return;
    if (!("id" in message)) return void peer.streams.handle(message);
    const method = message.method as MethodName;
    server.calls.push(method);
    (async () => {
      let result: unknown;
      try {
        const answer = answers[method];
        if (!answer) throw new TypeError(`${method} is not part of this test`);
        const value = await answer(richCodec.decodeParams(method, message.params) as never, peer);
        result = richCodec.encodeResult(method, value as never);
      } catch (error) {
        result = richCodec.encodeFailure(error);
      }
      peer.socket.send(richCodec.encodeMessage({ jsonrpc: "2.0", id: message.id, result }));
    })();
  }

  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  server.endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return server;
}
