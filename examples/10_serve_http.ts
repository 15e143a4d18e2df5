// Shows: a web server runs in the sandbox and answers requests from here.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

await using server = await sandbox.createJsRuntime({
  code: `
    const visits = new Map<string, number>();
    Deno.serve({ port: 8000 }, (request) => {
      const { pathname } = new URL(request.url);
      visits.set(pathname, (visits.get(pathname) ?? 0) + 1);
      return Response.json({ path: pathname, visit: visits.get(pathname) });
    });
  `,
});
if (!await server.httpReady) throw new Error("the server ended before it listened");

for (const path of ["/hello", "/hello", "/bye"]) {
  const response = await sandbox.fetch(`http://localhost:8000${path}`);
  console.log(`GET ${path}:`, response.status, await response.text());
}
