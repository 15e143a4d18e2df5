// Shows: a sandbox that is paused when nobody needs it, and goes on with the next visitor of its site.
import { Sandbox } from "@paddock/sandbox";

const sandbox = await Sandbox.create({ timeout: "10m", pauseAfterIdle: "2s", port: 8000 });
const { id } = sandbox;
await sandbox.deno.run({
  code: `let visits = 0;
  Deno.serve({ port: 8000 }, () => new Response("visit " + ++visits));`,
});
const visit = async () => {
  const started = Date.now();
  const response = await fetch(sandbox.url!);
  console.log(`${await response.text()}, after ${Date.now() - started} ms`);
};
await visit();
await sandbox.pause(); // by hand: memory and disk are files now, and nothing runs
console.log("status:", (await sandbox.metadata()).status);
await visit(); // the visitor waits until the sandbox goes on, with its memory as it was

await sandbox.close(); // from here on nobody is connected, so it is paused by itself
for (let status = ""; status !== "paused";) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  for await (const item of Sandbox.list()) if (item.id === id) status = item.status;
}
console.log("paused by itself");
await visit();
await using again = await Sandbox.connect(id);
await again.kill();
