export const OPEN_PORT = 3000;
export const LOOPBACK_PORT = 3001;

/** Runs in the guest: one server that is reached directly, the same on loopback alone. */
export const guestServer = `
  import { createHash } from "node:crypto";
  const part = new Uint8Array(64 * 1024);
  const lines = (count, gapMs) => new ReadableStream({
    async pull(controller) {
      this.sent ??= 0;
      if (this.sent >= count) return controller.close();
      controller.enqueue(new TextEncoder().encode("data: " + this.sent++ + "\\n\\n"));
      await new Promise((resolve) => setTimeout(resolve, gapMs));
    },
  });
  async function answer(request) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/echo":
        return Response.json({
          url: request.url,
          method: request.method,
          headers: Object.fromEntries(request.headers),
        });
      case "/file":
        return new Response(new Uint8Array(${8 << 20}));
      case "/range":
        return new Response("123", { status: 206, headers: { "content-range": "bytes 1-3/10" } });
      case "/nothing":
        return new Response(null, { status: 204 });
      case "/events":
        return new Response(lines(3, 50), { headers: { "content-type": "text/event-stream" } });
      case "/forever":
        return new Response(lines(Infinity, 100));
      case "/digest": {
        const hash = createHash("sha256");
        for await (const chunk of request.body) hash.update(chunk);
        return new Response(hash.digest("hex"));
      }
      case "/mirror":
        return new Response(request.body);
      case "/socket": {
        const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
        socket.onmessage = ({ data }) => socket.send(data);
        return response;
      }
      default:
        return new Response("hello");
    }
  }
  Deno.serve({ hostname: "0.0.0.0", port: ${OPEN_PORT} }, answer);
  Deno.serve({ hostname: "127.0.0.1", port: ${LOOPBACK_PORT} }, answer);
`;
