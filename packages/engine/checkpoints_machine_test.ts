import { strict as assert } from "node:assert";
import { ensureImage } from "../../images/build_image.ts";
import { type ErrorCode, newSandboxId, PaddockError } from "@paddock/protocol";
import { createMemoryCheckpointStore } from "./checkpoints/memory_checkpoint_store.ts";
import { type EngineBench, sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";
import { leftovers } from "./testing/leftovers.ts";

const soon = () => AbortSignal.timeout(120_000);

async function guestImage() {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  return { digest, rootfs, env: manifest.env };
}

function fails(work: Promise<unknown>, code: ErrorCode, text = /./): Promise<void> {
  return assert.rejects(work, (error: PaddockError) => {
    assert.equal(error.code, code, String(error));
    assert.match(error.message, text);
    return true;
  });
}

const files = (bench: EngineBench) =>
  [...Deno.readDirSync(`${bench.dataDir}/checkpoints`)].map(({ name }) => name);

Deno.test("a checkpoint outlives its sandbox and the engine; a damaged one is refused", async () => {
  const image = await guestImage();
  const checkpointStore = createMemoryCheckpointStore();
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  const limits = { checkpointsPerOrganization: 2 };
  let id: string;
  try {
    {
      await using bench = await startBench({ image, dataDir, checkpointStore, limits });
      const { engine } = bench;
      const original = await engine.create(sandboxSpec({ env: { COLOUR: "blue" } }), soon());
      await guestShell(original, "echo kept > ~/file; sleep 1000 & true");
      const checkpoint = await engine.checkpoints.create(
        original.spec.id,
        { name: "first" },
        soon(),
      );
      id = checkpoint.id;
      assert.match(id, /^chk_ord_/);
      assert.equal(checkpoint.state, "ready");
      assert.ok(checkpoint.bytes > 10_000_000, `${checkpoint.bytes}`);
      await fails(
        engine.checkpoints.create(original.spec.id, { name: "first" }, soon()),
        "CHECKPOINT_NAME_TAKEN",
      );
      const second = await engine.checkpoints.create(original.spec.id, {}, soon());
      await fails(
        engine.checkpoints.create(original.spec.id, {}, soon()),
        "TOO_MANY_CHECKPOINTS",
        /limits\.checkpointsPerOrganization/,
      );
      await engine.checkpoints.remove(second.id);
      assert.deepEqual(files(bench), [id]);
      await guestShell(original, "echo later > ~/file");
      assert.equal((await guestShell(original, "cat ~/file")).trim(), "later");
      await fails(
        engine.create(sandboxSpec({ checkpoint: id, organizationId: "other" }), soon()),
        "CHECKPOINT_NOT_FOUND",
      );
    }
    // What a daemon leaves that was killed while it made one, and while it deleted one.
    const remains = { ...checkpointStore.get(id)!, name: null };
    for (const [name, state] of [["half", "creating"], ["gone", "deleting"]] as const) {
      checkpointStore.insert({ ...remains, id: name, state }, {
        checkpointsPerOrganization: 9,
        pausedPerOrganization: 9,
        checkpointBytesPerOrganization: 1e12,
      });
    }
    await Deno.mkdir(`${dataDir}/checkpoints/.making-half/machine`, { recursive: true });
    await Deno.mkdir(`${dataDir}/checkpoints/gone/machine`, { recursive: true });
    await Deno.mkdir(`${dataDir}/forks/left`, { recursive: true });

    await using bench = await startBench({ image, dataDir, checkpointStore, limits });
    const { engine } = bench;
    assert.deepEqual(files(bench), [id]);
    assert.deepEqual(checkpointStore.all().map((it) => it.id), [id]);
    assert.deepEqual([...Deno.readDirSync(`${dataDir}/forks`)], []);
    const made = await Promise.all(
      [1, 2].map((n) =>
        engine.create(sandboxSpec({ checkpoint: id, labels: { n: `${n}` } }), soon())
      ),
    );
    for (const sandbox of made) {
      assert.equal((await guestShell(sandbox, "cat ~/file; echo $COLOUR")).trim(), "kept\nblue");
      assert.match(await guestShell(sandbox, "pgrep -f 'sleep 1000'"), /\d/);
    }
    // A checkpoint of a sandbox that was made from one, and copies of it.
    const [fork] = await engine.fork(made[0].spec.id, {
      ...{ count: 1, stopAt: Date.now() + 60_000, labels: {}, newId: () => newSandboxId("ord") },
    }, soon());
    assert.equal((await guestShell(fork, "cat ~/file")).trim(), "kept");

    const pages = `${dataDir}/checkpoints/${id}/machine/pages.img`;
    const file = await Deno.open(pages, { write: true });
    await file.seek(1_000_000, Deno.SeekMode.Start);
    await file.write(new Uint8Array(64).fill(0x5a));
    file.close();
    await fails(engine.create(sandboxSpec({ checkpoint: id }), soon()), "CHECKPOINT_DAMAGED");
    assert.match(bench.logged.join("\n"), /pages\.img is not what was written/);

    // Deleted while it is in use: gone for everybody else, and its files with the last user.
    await engine.checkpoints.remove(id);
    await fails(engine.create(sandboxSpec({ checkpoint: id }), soon()), "CHECKPOINT_NOT_FOUND");
    assert.equal((await guestShell(made[1], "cat ~/file")).trim(), "kept");
    await Promise.all([fork, ...made].map((sandbox) => sandbox.kill()));
    assert.deepEqual(files(bench), []);
    assert.deepEqual(checkpointStore.all(), []);
    await engine.close();
    assert.deepEqual(await leftovers(dataDir), []);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a disk that is full, or too small, fails a checkpoint and nothing else", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  const mount = async (...args: string[]) => {
    const { success } = await new Deno.Command(args[0], { args: args.slice(1) }).output();
    assert.ok(success, args.join(" "));
  };
  try {
    await Deno.mkdir(`${dataDir}/checkpoints`);
    await mount("mount", "-t", "tmpfs", "-o", "size=1g", "none", `${dataDir}/checkpoints`);
    try {
      await using bench = await startBench({
        ...{ image: await guestImage(), dataDir, limits: { hostFreeDiskBytes: 0 } },
      });
      const { engine } = bench;
      const sandbox = await engine.create(sandboxSpec(), soon());
      const { id } = sandbox.spec;
      // Too small for it is seen before the sandbox stands still.
      await mount("mount", "-o", "remount,size=4m", `${dataDir}/checkpoints`);
      await fails(engine.checkpoints.create(id, {}, soon()), "DISK_FULL", /needs \d+ MiB/);
      assert.deepEqual(files(bench), []);
      // It becomes full while it is written.
      await mount("mount", "-o", "remount,size=1g", `${dataDir}/checkpoints`);
      const first = await engine.checkpoints.create(id, { name: "web", definition: "1" }, soon());
      const room = Math.ceil(first.bytes / 2 ** 20) + 8;
      const filled = engine.checkpoints.create(id, {
        ...{ name: "web", definition: "2" },
        async around(work) {
          await mount("mount", "-o", `remount,size=${room}m`, `${dataDir}/checkpoints`);
          return await work();
        },
      }, soon());
      await fails(filled, "DISK_FULL", /runs on/);
      // The template that was to be replaced is as it was.
      assert.deepEqual(files(bench), [first.id]);
      const made = await engine.create(sandboxSpec({ checkpoint: first.id }), soon());
      await made.kill();
      assert.equal((await guestShell(sandbox, "echo alive")).trim(), "alive");
      await mount("mount", "-o", "remount,size=1g", `${dataDir}/checkpoints`);
      const { bytes } = await engine.checkpoints.create(id, {}, soon());
      assert.ok(bytes > 0);
    } finally {
      await mount("umount", `${dataDir}/checkpoints`);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a template makes way for its successor, and the sandboxes it has go on", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  try {
    await using bench = await startBench({ image: await guestImage(), dataDir });
    const { engine } = bench;
    const original = await engine.create(sandboxSpec({ env: { A: "1", B: "2" } }), soon());
    const keep = async (definition: string) =>
      await engine.checkpoints.create(original.spec.id, { name: "web", definition }, soon());
    await guestShell(original, "echo first > ~/file");
    const first = await keep("one");
    assert.match(first.id, /^tpl_ord_/);
    assert.deepEqual([first.name, first.definition, first.state], ["web", "one", "ready"]);
    assert.equal(await engine.checkpoints.isCurrent(first.id, soon()), true);
    // Its name is none of a checkpoint's.
    const plain = await engine.checkpoints.create(original.spec.id, { name: "web" }, soon());
    await engine.checkpoints.remove(plain.id);

    const made = await engine.create(
      sandboxSpec({ checkpoint: first.id, template: "web", env: { B: "own", C: "3" } }),
      soon(),
    );
    assert.equal(bench.records.all().find(({ id }) => id === made.spec.id)?.template, "web");
    assert.equal((await guestShell(made, "echo $A $B $C")).trim(), "1 own 3");
    const larger = await engine.create(
      sandboxSpec({ checkpoint: first.id, memoryBytes: 640 * 1024 * 1024 }),
      soon(),
    );
    assert.equal(larger.spec.memoryBytes, 640 * 1024 * 1024);
    // What is mounted for its size comes along in a checkpoint, and stays when there is something in it.
    const sizeOfShared = "df --output=size /dev/shm | tail -1; cat /dev/shm/*";
    await guestShell(larger, "echo kept > /dev/shm/file");
    assert.match(await guestShell(larger, sizeOfShared), /^ *327680\nkept\n$/);
    const saved = await engine.checkpoints.create(larger.spec.id, { name: "larger" }, soon());
    const again = await engine.create(sandboxSpec({ checkpoint: saved.id }), soon());
    assert.match(await guestShell(again, sizeOfShared), /^ *327680\nkept\n$/);
    await again.kill();
    await engine.checkpoints.remove(saved.id);

    await guestShell(original, "echo second > ~/file");
    const second = await keep("two");
    await fails(
      engine.create(sandboxSpec({ checkpoint: first.id }), soon()),
      "CHECKPOINT_NOT_FOUND",
    );
    // Its machines have read all of the first: nobody needs its files.
    assert.deepEqual(files(bench), [second.id]);
    assert.equal((await guestShell(made, "cat ~/file")).trim(), "first");
    assert.equal((await guestShell(larger, "cat ~/file")).trim(), "first");
    const next = await engine.create(sandboxSpec({ checkpoint: second.id }), soon());
    assert.equal((await guestShell(next, "cat ~/file")).trim(), "second");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
