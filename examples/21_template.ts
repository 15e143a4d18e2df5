// Shows: a template with a server in it that runs; two sandboxes of it answer at once, each as itself.
import { Client, Sandbox } from "@paddock/sandbox";

const { templates } = new Client();
const name = `example-${crypto.randomUUID().slice(0, 8)}`;
const definition = {
  name,
  env: { GREETING: "hello" },
  commands: [
    "mkdir app",
    `cat > app/server.ts <<'END'
let machine = "";
Deno.serve({ port: 8000 }, async ({ url }) => {
  if (new URL(url).pathname === "/renew") machine = await Deno.readTextFile("/etc/machine-id");
  const text = Deno.env.get("GREETING") + " from process " + Deno.pid;
  return new Response(text + ", machine " + machine.slice(0, 8));
});
END`,
  ],
  start: { command: "exec deno run -A app/server.ts", ready: { port: 8000 } },
  // What must not be the same in all sandboxes is made anew in each.
  restored: "curl -fsS http://localhost:8000/renew",
};

const built = await templates.build(definition, {
  onLog: ({ step, text }) => console.log(text === undefined ? `building: ${step}` : text.trimEnd()),
});
console.log(`built: ${built.memoryMb} MiB of memory, on ${built.driver}`);
console.log("and again: reused", (await templates.build(definition)).reused);

const sandboxes = await Promise.all([1, 2].map(() => Sandbox.create({ template: name })));
for (const sandbox of sandboxes) {
  console.log(await (await sandbox.fetch("http://localhost:8000")).text());
}
await templates.delete(name);
console.log("deleted; the sandboxes live on:", await sandboxes[0].sh`hostname`.text());
for (const sandbox of sandboxes) await sandbox.close();
