import assert from "node:assert/strict";
import { Sandbox } from "@paddock/sandbox";
import { startServer, until } from "../harness.ts";

/** Sandboxes that are restored from one template begin as copies: nothing that matters may be one. */
Deno.test("two sandboxes from one template share no randomness, no identity and no stopped clock", async (t) => {
  await using server = await startServer();
  await until("the template", 240_000, async () => (await server.log()).includes("template made"));
  const options = { endpoint: server.api, token: server.token };
  const create = () => Sandbox.create(options);
  const boxes = await Promise.all([create(), create(), create()]);
  await using _ = {
    [Symbol.asyncDispose]: async () => void await Promise.all(boxes.map((box) => box.close())),
  };
  assert.ok(!(await server.log()).includes("could not be restored"));

  const differ = async (what: string, ask: (box: Sandbox) => Promise<unknown>) =>
    await t.step(`${what} differs`, async () => {
      const answers = await Promise.all(boxes.map(async (box) => JSON.stringify(await ask(box))));
      assert.equal(new Set(answers).size, boxes.length, answers.join("\n"));
    });
  // First of all, while the REPL that the template had is the one that evaluates.
  await differ("what the warmed REPL draws", (box) => box.eval(`[Math.random(), Math.random()]`));
  await differ("what a second REPL draws", (box) => box.eval(`Math.random()`));
  await differ("crypto.randomUUID in a warmed REPL", (box) => box.eval(`crypto.randomUUID()`));
  const repls = await Promise.all(boxes.map((box) => box.repl()));
  await differ(
    "a REPL's getRandomValues",
    (box) => repls[boxes.indexOf(box)].eval(`[...crypto.getRandomValues(new Uint8Array(8))]`),
  );
  await differ("a generated key", (box) =>
    repls[boxes.indexOf(box)].eval(
      `const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);` +
        `[...new Uint8Array(await crypto.subtle.exportKey("raw", key))]`,
    ));
  await differ("/dev/urandom", (box) => box.sh`head -c 16 /dev/urandom | od -An -tx1`.text());
  await differ(
    "python's uuid4",
    (box) => box.sh`python3 -c "import uuid; print(uuid.uuid4())"`.text(),
  );
  await differ("a temporary name", (box) => box.fs.makeTempDir());
  await differ("the machine id", (box) => box.fs.readTextFile("/etc/machine-id"));
  await differ("the host name", (box) => box.sh`hostname`.text());

  await t.step("clocks are the host's", async () => {
    for (const box of boxes) {
      const [before, there, after] = [Date.now(), await box.eval<number>(`Date.now()`), Date.now()];
      assert.ok(there >= before - 500 && there <= after + 500, `${there - before} ms off`);
    }
  });
});
