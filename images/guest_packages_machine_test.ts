import assert from "node:assert/strict";
import { Client, type Sandbox } from "@paddock/sandbox";
import { startServer } from "../tests/harness.ts";

// What a user does with the image first: bring a program in, and run it.

async function run(sandbox: Sandbox, script: string): Promise<string> {
  const child = await sandbox.spawn("bash", {
    args: ["-c", script],
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout, stderr, status } = await child.output();
  const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);
  assert(status.success, `${script}\n${text(stdout)}${text(stderr)}`);
  return text(stdout).trim();
}

Deno.test("programs that are brought into a sandbox run there", async (t) => {
  await using server = await startServer();
  const client = new Client({ endpoint: server.api, token: server.token });
  await using sandbox = await client.sandboxes.create({ memoryMb: 1024 });
  await t.step("a binary that was written by the guest itself", async () => {
    assert.equal(await run(sandbox, "cp /usr/bin/basename ~/own && ~/own /a/b"), "b");
  });
  await t.step("a Debian package, installed with sudo", async () => {
    await run(sandbox, "sudo apt-get update -q && sudo apt-get install -q -y hello");
    assert.equal(await run(sandbox, "hello"), "Hello, world!");
  });
  await t.step("an npm package, for one project and for all", async () => {
    await run(sandbox, "mkdir -p /app/p && cd /app/p && npm install --no-audit --no-fund ms@2.1.3");
    const script = `cd /app/p && node -p 'require("ms")("2 days")'`;
    assert.equal(await run(sandbox, script), "172800000");
    await run(sandbox, "sudo npm install -g --no-audit --no-fund semver@7.7.2");
    assert.equal(await run(sandbox, "semver 1.2.3"), "1.2.3");
  });
});
