import assert from "node:assert/strict";
import { bundleAgent } from "./bundle.ts";

Deno.test("the agent carries little: each sandbox keeps all of it in memory", async () => {
  const { agent, repl } = await bundleAgent();
  // The whole of zod is 450 KB more than the part that the protocol uses, and 5 MB in every guest.
  assert.ok(agent.length < 400_000, `agent.js has ${agent.length} bytes`);
  assert.ok(repl.length < 200_000, `repl.js has ${repl.length} bytes`);
});
