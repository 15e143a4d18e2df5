import { serveStandIn } from "./serve_stand_in.ts";

// A server of its own process, whose "sandboxes" all lead to the WebSocket on the given port.
const server = await serveStandIn();
Object.defineProperty(server.engine.agent, "port", { value: Number(Deno.args[0]) });
Deno.addSignalListener("SIGTERM", async () => {
  await server[Symbol.asyncDispose]();
  Deno.exit(0);
});
console.log(JSON.stringify({ url: server.url, token: server.token, pid: Deno.pid }));
