import { strict as assert } from "node:assert";
import { ensureImage } from "../../images/build_image.ts";
import { sleep } from "@paddock/driver";
import { newSandboxId, PaddockError } from "@paddock/protocol";
import type { RunningSandbox } from "./engine.ts";
import { type EngineBench, sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";
import { leftovers } from "./testing/leftovers.ts";

const soon = () => AbortSignal.timeout(120_000);

async function start(options: object = {}): Promise<EngineBench> {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  return await startBench({ image: { digest, rootfs, env: manifest.env }, ...options });
}

function fork(bench: EngineBench, original: RunningSandbox, count: number) {
  return bench.engine.fork(original.spec.id, {
    count,
    stopAt: Date.now() + 120_000,
    labels: { copy: "yes" },
    newId: () => newSandboxId("ord"),
  }, soon());
}

/** Their files are removed when a fork is done, and nobody waits for that. */
async function untilNoForkIsKept({ dataDir }: EngineBench): Promise<void> {
  const kept = () => [...Deno.readDirSync(`${dataDir}/forks`)];
  const end = performance.now() + 5_000;
  while (kept().length > 0 && performance.now() < end) await sleep(20);
  assert.deepEqual(kept(), []);
}

const shell = async (sandbox: RunningSandbox, command: string) =>
  (await guestShell(sandbox, command)).trim();

Deno.test("forks go on with the files and processes of the original, each for itself", async () => {
  await using bench = await start();
  const { engine } = bench;
  const original = await engine.create(sandboxSpec({ env: { COLOUR: "blue" } }), soon());
  await shell(
    original,
    "echo before > ~/file; (while true; do echo tick >> ~/ticks; sleep 0.2; done) & sleep 0.5",
  );
  const pid = await shell(original, "pgrep -of 'echo tick'");
  const forks = await fork(bench, original, 2);
  assert.equal(forks.length, 2);
  const all = [original, ...forks];
  for (const sandbox of all) {
    assert.equal(await shell(sandbox, "cat ~/file"), "before");
    assert.equal(await shell(sandbox, "echo $COLOUR"), "blue");
    assert.equal(await shell(sandbox, "pgrep -of 'echo tick'"), pid);
    const ticks = Number(await shell(sandbox, "wc -l < ~/ticks; true"));
    assert.ok(ticks > 0);
    await shell(sandbox, "sleep 1");
    const later = Number(await shell(sandbox, "wc -l < ~/ticks"));
    assert.ok(later > ticks, `${sandbox.spec.id} stands still: ${ticks}, ${later}`);
  }
  await shell(forks[0], "echo mine > ~/file; kill -9 " + pid);
  assert.equal(await shell(original, "cat ~/file"), "before");
  assert.equal(
    await shell(forks[1], "cat ~/file; kill -0 " + pid + " && echo alive"),
    "before\nalive",
  );

  const distinct = async (command: string) => {
    const said = await Promise.all(all.map((sandbox) => shell(sandbox, command)));
    assert.equal(new Set(said).size, all.length, `${command}: ${said}`);
  };
  await distinct("hostname");
  await distinct("cat /etc/machine-id");
  await distinct("head -c 16 /dev/urandom | od -An -tx1");
  await distinct("deno eval 'console.log(crypto.randomUUID())'");
  assert.equal(new Set(all.map(({ agent }) => agent.token)).size, 3);
  assert.deepEqual(
    bench.records.all().map(({ parent }) => parent),
    [null, original.spec.id, original.spec.id],
  );
  assert.deepEqual(forks.map(({ spec }) => spec.labels), [{ copy: "yes" }, { copy: "yes" }]);
  await untilNoForkIsKept(bench);

  // A fork of a fork, without its parent.
  await original.kill();
  const [grandchild] = await fork(bench, forks[0], 1);
  assert.equal(await shell(grandchild, "cat ~/file"), "mine");
  assert.deepEqual(bench.logged, []);
  await engine.close();
  assert.deepEqual(await leftovers(bench.dataDir), []);
});

Deno.test("a fork that is not possible changes nothing", async () => {
  await using bench = await start({ limits: { sandboxes: 3 } });
  const { engine } = bench;
  const original = await engine.create(sandboxSpec(), soon());
  await shell(original, "echo here > ~/file");
  // Room for two of them: the ones that had started are ended again.
  await assert.rejects(fork(bench, original, 4), (error: PaddockError) => {
    assert.equal(error.code, "CAPACITY_EXHAUSTED");
    assert.match(error.message, /^Fork \d of 4 failed, so none was made: /);
    return true;
  });
  assert.deepEqual(engine.list().map(({ spec }) => spec.id), [original.spec.id]);
  assert.equal(await shell(original, "cat ~/file"), "here");
  await untilNoForkIsKept(bench);

  const given = new AbortController();
  const aborted = engine.fork(original.spec.id, {
    ...{ count: 1, stopAt: Date.now() + 60_000, labels: {}, newId: () => newSandboxId("ord") },
    async around(work) {
      const done = work();
      setTimeout(() => given.abort(), 30);
      return await done;
    },
  }, given.signal);
  await assert.rejects(aborted, (error: PaddockError) => error.code === "ABORTED");
  assert.equal(await shell(original, "cat ~/file"), "here");
  await untilNoForkIsKept(bench);

  await original.kill();
  await assert.rejects(
    fork(bench, original, 1),
    (error: PaddockError) => error.code === "SANDBOX_NOT_FOUND",
  );
  await engine.close();
  assert.deepEqual(await leftovers(bench.dataDir), []);
});

Deno.test("a fork waits until a connected UDP socket is gone, and says why it cannot", async () => {
  await using bench = await start();
  const original = await bench.engine.create(sandboxSpec(), soon());
  await shell(original, "(exec 3<>/dev/udp/192.0.2.1/53; sleep 0.6) & true");
  const [copy] = await fork(bench, original, 1);
  assert.equal(await shell(copy, "echo well"), "well");
  await copy.kill();
  await shell(original, "(exec 3<>/dev/udp/192.0.2.1/53; sleep 100) & true");
  await fork(bench, original, 1).then(
    ([made]) => console.log(`this runsc restores a connected socket: ${made.origin}`),
    (error: PaddockError) => {
      assert.equal(error.code, "RESTORE_FAILED");
      assert.match(error.message, /connected UDP socket/);
    },
  );
  assert.equal(await shell(original, "echo well"), "well");
});
