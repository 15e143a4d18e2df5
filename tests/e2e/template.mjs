// Templates with our client library. The folder of the definition's files is the first argument.
import assert from "node:assert/strict";
import process from "node:process";
import { Client, Sandbox, TemplateBuildError } from "@paddock/sandbox";

const directory = process.argv[2];
const step = async (name, work) => {
  await work();
  console.log(`ok ${name}`);
};
const client = new Client();
const { templates } = client;
const code = (code) => (error) => error.code === code;
const get = async (sandbox) => (await sandbox.fetch("http://127.0.0.1:8000/")).json();

const web = {
  name: "web",
  env: { GREETING: "hello", PLAN: "free" },
  files: [
    { from: "server.ts", to: "app/" },
    { from: "settings", to: "/etc/web", root: true },
  ],
  commands: [
    "echo built by $(id -un) > built.txt",
    { run: "id -un > by.txt", root: true, cwd: "/opt" },
  ],
  start: { command: "exec deno run -A app/server.ts", ready: { port: 8000 } },
  restored: "curl -fs http://127.0.0.1:8000/renew",
};

await step("a template is built from files and commands, with a program that runs", async () => {
  const log = [];
  const built = await templates.build(web, { directory, onLog: (entry) => log.push(entry) });
  assert.equal(built.reused, false);
  assert.equal(built.name, "web");
  assert.match(built.id, /^tpl_/);
  assert.ok(built.bytes > 1_000_000);
  assert.deepEqual(
    log.filter(({ text }) => text === undefined).map(({ step }) => step),
    ["files[0]", "files[1]", "commands[0]", "commands[1]", "start", "restored", "checkpoint"],
  );
  // The sandbox that it was built in is gone, or on its way.
  for (let n = 0; (await client.sandboxes.list()).length > 0; n++) {
    assert.ok(n < 50, "the building sandbox lives on");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

await step("siblings have what it has, answer at once, and are somebody else each", async () => {
  const options = { template: "web", labels: { kind: "made" }, env: { PLAN: "pro", MORE: "1" } };
  const siblings = await Promise.all([Sandbox.create(options), Sandbox.create(options)]);
  const seen = await Promise.all(siblings.map(async (sandbox) => {
    const { pid, greeting, before, renewed, uuid: drawn } = await get(sandbox);
    assert.equal(greeting, "hello");
    assert.equal(renewed, 1);
    assert.equal(await sandbox.readTextFile("built.txt"), "built by sandbox\n");
    assert.equal(await sandbox.readTextFile("/opt/by.txt"), "root\n");
    assert.equal(
      await sandbox.sh`stat -c %U /etc/web/web.conf; cat /etc/web/web.conf`.text(),
      "root\nconf\n",
    );
    assert.equal(await sandbox.sh`echo $GREETING $PLAN $MORE`.text(), "hello pro 1\n");
    assert.equal(await sandbox.eval(`Deno.env.get("PLAN")`), "pro");
    const metadata = await sandbox.metadata();
    assert.equal(metadata.template, "web");
    assert.deepEqual(metadata.labels, { kind: "made" });
    return {
      ...{ pid, before, drawn },
      random: await sandbox.sh`od -An -N16 -tx1 /dev/urandom`.text(),
      uuid: await sandbox.eval("crypto.randomUUID() + Math.random()"),
      machine: await sandbox.readTextFile("/etc/machine-id"),
      host: await sandbox.sh`hostname`.text(),
    };
  }));
  const [one, two] = seen;
  // The same process in both, as it was.
  assert.equal(one.pid, two.pid);
  assert.equal(one.before, two.before);
  for (const key of ["drawn", "random", "uuid", "machine", "host"]) {
    assert.notEqual(one[key], two[key], key);
  }
  // A pause makes it nobody else; a fork is somebody else.
  const { renewed } = await get(siblings[0]);
  await siblings[1].pause();
  await siblings[1].resume();
  assert.equal((await get(siblings[1])).renewed, renewed);
  const fork = await siblings[0].fork();
  assert.equal((await get(fork)).renewed, renewed + 1);
  assert.equal((await get(fork)).greeting, "hello");
  assert.equal((await fork.metadata()).template, "web");
  await Promise.all([...siblings, fork].map((it) => it.kill()));
});

await step("what has not changed is not built again, what has is", async () => {
  const first = await templates.get("web");
  const again = await templates.build({ ...web, timeoutSeconds: 600 }, { directory });
  assert.equal(again.reused, true);
  assert.equal(again.id, first.id);
  const old = await Sandbox.create({ template: "web" });
  const changed = await templates.build({ ...web, env: { GREETING: "hi" } }, { directory });
  assert.equal(changed.reused, false);
  assert.notEqual(changed.id, first.id);
  assert.deepEqual((await templates.list()).map(({ id }) => id), [changed.id]);
  const forced = await templates.build({ ...web, env: { GREETING: "hi" } }, {
    directory,
    force: true,
  });
  assert.notEqual(forced.id, changed.id);
  // A sandbox of the one before has what that had, and goes on.
  assert.equal((await get(old)).greeting, "hello");
  await old.kill();
  const made = await Sandbox.create({ template: forced });
  assert.equal((await get(made)).greeting, "hi");
  await made.kill();
});

await step("one template is built from another", async () => {
  const built = await templates.build({
    ...{ name: "web-2", from: "web", env: { GREETING: "unused", EXTRA: "2" } },
    commands: ["cat built.txt > copy.txt"],
  });
  // gVisor's machines take another memory than they were kept with; others say so.
  const larger = { template: built, memory: "640MiB" };
  const memoryMb = built.driver === "gvisor" ? 640 : built.memoryMb;
  if (memoryMb !== 640) {
    await assert.rejects(
      Sandbox.create(larger),
      (error) => error.code === "INVALID_CONFIG" && error.field === "memory_mb",
    );
  }
  const sandbox = await Sandbox.create(memoryMb === 640 ? larger : { template: built });
  assert.equal(await sandbox.readTextFile("copy.txt"), "built by sandbox\n");
  assert.equal(await sandbox.sh`echo $EXTRA`.text(), "2\n");
  // It runs since the first one was built, and was restored for the second, and for this sandbox.
  const { greeting, renewed } = await get(sandbox);
  assert.deepEqual({ greeting, renewed }, { greeting: "hi", renewed: 2 });
  assert.equal((await sandbox.metadata()).memoryMb, memoryMb);
  await sandbox.kill();
  await templates.build({ name: "web-2", from: "web", restored: "exit 3" });
  await assert.rejects(
    Sandbox.create({ template: "web-2" }),
    (error) =>
      error.code === "RESTORE_FAILED" && /`restored` command: .*exit code 3/.test(error.message),
  );
  await templates.delete("web-2");
});

await step("a step that fails is named, with what it printed, and leaves nothing", async () => {
  const fails = async (definition, expected, text) => {
    await assert.rejects(templates.build(definition, { directory }), (error) => {
      assert.ok(error instanceof TemplateBuildError, `${error}`);
      const { code, step, exitCode } = error;
      assert.deepEqual({ code, step, exitCode }, { code: "TEMPLATE_BUILD_FAILED", ...expected });
      assert.match(error.message, text);
      return true;
    });
  };
  const name = "web";
  await fails(
    { name, commands: ["true", "echo out; echo err >&2; exit 3; echo never"] },
    { step: "commands[1]", exitCode: 3 },
    /^commands\[1\]: failed with exit code 3\nout\nerr$/,
  );
  await fails(
    { name, files: [{ from: "missing", to: "x" }] },
    { step: "files[0]", exitCode: undefined },
    /missing is not in/,
  );
  await fails(
    { name, files: [{ from: "outside", to: "x" }] },
    { step: "files[0]", exitCode: undefined },
    /leads out of/,
  );
  const ready = { port: 8001 };
  await fails(
    { name, start: { command: "echo broken; exit 4", ready } },
    { step: "start", exitCode: 4 },
    /failed with exit code 4 before it was ready\nbroken$/,
  );
  await fails(
    { name, start: { command: "echo begun; sleep 100", ready, timeoutSeconds: 3 } },
    { step: "start", exitCode: undefined },
    /not ready within 3 s \(start\.timeoutSeconds\)\nbegun$/,
  );
  await fails(
    { name, timeoutSeconds: 5, commands: ["echo begun; sleep 100"] },
    { step: "commands[0]", exitCode: undefined },
    /not complete within 5 s \(timeoutSeconds\)\nbegun$/,
  );
  await assert.rejects(
    templates.build({ name, comands: [] }),
    (error) => error.code === "INVALID_TEMPLATE" && error.step === "comands",
  );
  await assert.rejects(templates.build({ name, from: "nowhere" }), code("TEMPLATE_NOT_FOUND"));
  const stopped = new AbortController();
  const onLog = ({ step }) => step === "commands[0]" && stopped.abort(new Error("enough"));
  await assert.rejects(
    templates.build({ name, commands: ["sleep 100"] }, { onLog, signal: stopped.signal }),
    /enough/,
  );
  // The one that has the name still has it.
  const sandbox = await Sandbox.create({ template: name });
  assert.equal((await get(sandbox)).greeting, "hi");
  await sandbox.kill();
});

await step("sandboxes outlive their template; afterwards there is none", async () => {
  const sandbox = await Sandbox.create({ template: "web" });
  await assert.rejects(
    Sandbox.create({ template: "web", driver: "gvisor" }),
    (error) => error.code === "INVALID_CONFIG" && error.field === "driver",
  );
  await assert.rejects(
    Sandbox.create({ checkpoint: "web" }),
    code("CHECKPOINT_NOT_FOUND"),
  );
  await templates.delete("web");
  assert.equal((await get(sandbox)).greeting, "hi");
  await sandbox.kill();
  assert.equal(await templates.get("web"), null);
  assert.deepEqual(await templates.list(), []);
  assert.deepEqual(await client.checkpoints.list(), []);
  await assert.rejects(templates.delete("web"), code("TEMPLATE_NOT_FOUND"));
  await assert.rejects(
    Sandbox.create({ template: "web" }),
    (error) => error.code === "TEMPLATE_NOT_FOUND" && error.field === "template",
  );
});
