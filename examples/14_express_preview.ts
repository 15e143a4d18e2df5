// Shows: an Express app from a package.json is exposed as a process, whatever port it listens on.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

await sandbox.writeTextFile(
  "package.json",
  JSON.stringify({ private: true, type: "module", dependencies: { express: "^5" } }),
);
await sandbox.writeTextFile(
  "server.js",
  `
  import express from "express";

  const app = express();
  app.get("/", (request, response) => response.send("Hello from Express in a sandbox"));
  app.get("/time", (request, response) => response.json({ now: new Date() }));
  app.listen(3000);
  `,
);
await sandbox.sh`deno install`.stdout("null").stderr("null");

await using server = await sandbox.createJsRuntime({ entrypoint: "server.js" });
if (!await server.httpReady) throw new Error("the server ended before it listened");

const url = await sandbox.exposeHttp({ pid: server.pid });
console.log("GET /:", await (await fetch(url)).text());
const { now } = await (await fetch(`${url}/time`)).json();
console.log("GET /time: a date,", !Number.isNaN(Date.parse(now)));
