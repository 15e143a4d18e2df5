// Shows: every user gets an environment with a site of their own, at a URL of their own.
import { Sandbox } from "@paddock/sandbox";

const site = `
  const note = "note.txt";
  Deno.serve({ port: 8000 }, async (request) => {
    if (request.method === "PUT") await Deno.writeTextFile(note, await request.text());
    return new Response(await Deno.readTextFile(note).catch(() => "(nothing)"));
  });
`;

await using stack = new AsyncDisposableStack();
const urls = new Map<string, string>();
for (const user of ["ada", "grace"]) {
  const sandbox = stack.use(await Sandbox.create({ port: 8000, labels: { user } }));
  const server = await sandbox.createJsRuntime({ code: site });
  if (!await server.httpReady) throw new Error("the server ended before it listened");
  urls.set(user, sandbox.url!);
  console.log(`${user}: ${sandbox.url}`);
}

await fetch(urls.get("ada")!, { method: "PUT", body: "analytical engine" });
for (const [user, url] of urls) console.log(`${user}'s note:`, await (await fetch(url)).text());

// Both sites are the same program on the same port: only the name in the URL tells them apart.
await fetch(urls.get("grace")!, { method: "PUT", body: "a moth in relay 70" });
for (const [user, url] of urls) console.log(`${user}'s note:`, await (await fetch(url)).text());
