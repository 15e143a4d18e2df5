import { createServer as createUnixServer, type Socket } from "node:net";
import { Http2Sessions } from "./http2_sessions.ts";
import { readTag } from "./session_tag.ts";
import type { Http2ProcessConfig } from "./http2_process.ts";

/**
 * The program of the process that speaks HTTP/2 with visitors. It ends with its standard input, so
 * that it never outlives the daemon, and lives through a Ctrl-C that is meant for the daemon.
 */
async function main(): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {});
  }
  const config = JSON.parse(Deno.args[0]) as Http2ProcessConfig;
  const sessions = new Http2Sessions(config, (error) => console.error(error));
  const server = createUnixServer((socket: Socket) => {
    socket.on("error", () => {});
    readTag(socket).then((tag) => sessions.take(socket, tag), () => socket.destroy());
  });
  server.on("error", (error) => {
    console.error(error);
    Deno.exit(1);
  });
  server.listen(config.sessionsPath, () => console.log("ready"));
  setInterval(() => sessions.tick(performance.now()), 250);
  for await (const chunk of Deno.stdin.readable) {
    // Whatever the daemon says here means: no new requests, finish those under way.
    if (chunk.length > 0) sessions.stop();
  }
  Deno.exit(0);
}

await main();
