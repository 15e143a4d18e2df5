// Creates sandboxes with the published client and ours, says how to reach them, and waits for a line.
const [, , kind] = process.argv;
const { Sandbox } = await import(
  kind === "published" ? "deno_sandbox_0_13" : "@paddock/sandbox"
);
const created = await Sandbox.create({ ssh: true, timeout: "5m" });
const plain = await Sandbox.create();
const exposed = await plain.exposeSsh();
console.log(JSON.stringify({ created: created.ssh, exposed, ids: [created.id, plain.id] }));
await new Promise((resolve) => process.stdin.once("data", resolve));
await plain.kill();
await created.kill();
process.exit(0);
