// Shows: a Hono server in a sandbox is reached from outside at a URL of its own.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

await sandbox.sh`deno install npm:hono`.stdout("null").stderr("null");
await sandbox.writeTextFile(
  "server.ts",
  `
  import { Hono } from "hono";

  const app = new Hono();
  app.get("/", (c) => c.text("Hello from Hono in a sandbox"));
  app.get("/user/:id", (c) => c.json({ id: Number(c.req.param("id")), host: c.req.header("host") }));
  Deno.serve({ port: 8000 }, app.fetch);
  `,
);

await using server = await sandbox.createJsRuntime({ entrypoint: "server.ts" });
if (!await server.httpReady) throw new Error("the server ended before it listened");

// Whoever knows the URL reaches the server, until the sandbox ends.
const url = await sandbox.exposeHttp({ port: 8000 });
console.log("public URL:", url);

for (const path of ["/", "/user/42"]) {
  const response = await fetch(url + path);
  console.log(`GET ${path}:`, response.status, await response.text());
}
