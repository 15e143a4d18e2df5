import { strict as assert } from "node:assert";
import { childCgroups, sleep } from "@paddock/driver";
import { ensureImage } from "../../images/build_image.ts";
import type { RunningSandbox } from "./engine.ts";
import { type BenchOptions, sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";
import { leftovers } from "./testing/leftovers.ts";

const MiB = 1024 * 1024;
const soon = () => AbortSignal.timeout(60_000);

async function start(options: Partial<BenchOptions> = {}) {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  const image = { digest, rootfs, env: manifest.env };
  const bench = await startBench({ image, templates: true, pool: true, ...options });
  await bench.engine.templatesSettled();
  return bench;
}

const waiting = (dataDir: string) => [...Deno.readDirSync(`${dataDir}/sandboxes`)].length;

Deno.test("a sandbox takes a machine that waits, and another takes its place", async () => {
  await using bench = await start({ limits: { poolMin: 2, memoryDefaultMb: 256 } });
  const { engine, dataDir } = bench;
  assert.equal(waiting(dataDir), 2);
  const spec = (more: object) => sandboxSpec({ memoryBytes: 256 * MiB, ...more });
  const boxes = await Promise.all([
    engine.create(spec({ env: { N: "1" } }), soon()),
    engine.create(spec({ env: { N: "2" } }), soon()),
  ]);
  assert.deepEqual(boxes.map(({ origin }) => origin), ["pooled", "pooled"]);
  const seen = await Promise.all(boxes.map((box) => guestShell(box, "hostname; echo $N; whoami")));
  assert.deepEqual(
    seen,
    boxes.map(({ spec }, at) => `${spec.id.replaceAll("_", "-")}\n${at + 1}\nsandbox\n`),
  );
  await engine.templatesSettled();
  assert.equal(waiting(dataDir), 4);
  // Of another size none waits; one is restored, and from then on the size is kept in stock.
  const other = await engine.create(spec({ memoryBytes: 300 * MiB }), soon());
  assert.equal(other.origin, "restored");
  assert.match(await guestShell(other, "head -1 /proc/meminfo"), /307200 kB/);
  await engine.templatesSettled();
  assert.equal((await engine.create(spec({ memoryBytes: 300 * MiB }), soon())).origin, "pooled");
  await Promise.all([...boxes, other].map((box) => box.kill()));
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
  assert.deepEqual(bench.logged, []);
});

Deno.test("a sandbox without an id of its own is who the machine that waited takes itself for", async () => {
  const greeted: string[] = [];
  const over: string[] = [];
  await using bench = await start({
    limits: { poolMin: 4, memoryDefaultMb: 256 },
    region: "ord",
    greet: ({ host }) => {
      greeted.push(host);
      return Promise.resolve({ [Symbol.dispose]: () => void over.push(host) });
    },
  });
  const { engine } = bench;
  assert.equal(greeted.length, 4);
  const make = async (more: object) => {
    const { id: _, ...spec } = sandboxSpec({ memoryBytes: 256 * MiB, ...more });
    return await engine.create(spec, soon());
  };
  const own = await make({});
  const told = await make({ env: { N: "1" } });
  const elsewhere = await make({ region: "fra" });
  const named = await engine.create(sandboxSpec({ memoryBytes: 256 * MiB }), soon());
  const boxes = [own, told, elsewhere, named];
  assert.deepEqual(boxes.map(({ origin }) => origin), Array(4).fill("pooled"));
  const machineIds = new Set<string>();
  const randoms = new Set<string>();
  for (const box of boxes) {
    const [hostname, environment, address, machineId, random] = (await guestShell(
      box,
      "hostname; echo $N; getent hosts $(hostname) | cut -d' ' -f1; cat /etc/machine-id; " +
        "deno eval 'console.log(crypto.randomUUID())'",
    )).split("\n");
    assert.equal(hostname, box.spec.id.replaceAll("_", "-"));
    assert.equal(environment, box === told ? "1" : "");
    assert.equal(address, box.agent.host);
    machineIds.add(machineId);
    randoms.add(random);
  }
  assert.deepEqual([machineIds.size, randoms.size], [4, 4]);
  assert.deepEqual(boxes.map(({ spec }) => spec.region), ["ord", "ord", "fra", "ord"]);
  // Whoever takes the greeting has it; another goes with its machine.
  assert.ok(own.takeGreeting());
  assert.equal(own.takeGreeting(), undefined);
  assert.equal(over.length, 0);
  await Promise.all(boxes.map((box) => box.kill()));
  assert.ok(boxes.every(({ agent }) => over.includes(agent.host)));
});

Deno.test("a template that somebody built has machines that wait as well, until it is gone", async () => {
  await using bench = await start({
    limits: { poolMin: 0, poolMaxPerTemplate: 1, memoryDefaultMb: 256 },
  });
  const { engine, dataDir } = bench;
  const spec = (more: object) => sandboxSpec({ memoryBytes: 256 * MiB, ...more });
  const original = await engine.create(spec({ env: { A: "1" } }), soon());
  await guestShell(original, "echo kept > ~/file");
  const web = { name: "web", definition: "one" };
  const { id } = await engine.checkpoints.create(original.spec.id, web, soon());
  const plain = await engine.checkpoints.create(original.spec.id, { name: "web" }, soon());
  await engine.templatesSettled();
  const waits = () => engine.pools()[0].waiting;
  const before = waits();
  const make = (more: object) => engine.create(spec({ checkpoint: id, ...more }), soon());
  const burst = await Promise.all([make({}), make({})]);
  assert.deepEqual(burst.map(({ origin }) => origin), ["restored", "restored"]);
  await engine.templatesSettled();
  // Two were asked for at once, and one may wait.
  assert.equal(waits(), before + 1);
  const warm = await make({ env: { B: "2" } });
  assert.equal(warm.origin, "pooled");
  assert.equal(
    await guestShell(warm, "hostname; cat ~/file; echo $A $B"),
    `${warm.spec.id.replaceAll("_", "-")}\nkept\n1 2\n`,
  );
  // Nobody can say how many will ask for a checkpoint, so each is restored when they do.
  const cold = () => engine.create(spec({ checkpoint: plain.id }), soon());
  assert.deepEqual([(await cold()).origin, (await cold()).origin], ["restored", "restored"]);

  await Promise.all(engine.list().map((box) => box.kill()));
  await engine.templatesSettled();
  const files = () => [...Deno.readDirSync(`${dataDir}/checkpoints`)].map(({ name }) => name);
  assert.deepEqual(files().sort(), [plain.id, id].sort());
  const last = waits();
  await engine.checkpoints.remove(id);
  assert.equal(waits(), last - 1);
  const end = Date.now() + 20_000;
  while (files().length > 1 && Date.now() < end) await sleep(50);
  // Those that waited are gone, and with them the last who needed its files.
  assert.deepEqual(files(), [plain.id]);
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
  assert.deepEqual(bench.logged, []);
});

Deno.test("a pool grows with a burst, and is as large as it may be", async () => {
  await using bench = await start({ limits: { poolMin: 0, poolMax: 3, memoryDefaultMb: 256 } });
  const { engine, dataDir } = bench;
  assert.equal(waiting(dataDir), 0);
  const burst = Array.from({ length: 4 }, () => engine.create(sandboxSpec(), soon()));
  const first = await Promise.all(burst);
  assert.ok(first.every(({ origin }) => origin === "restored"));
  await Promise.all(first.map((box) => box.kill()));
  await engine.templatesSettled();
  assert.equal(waiting(dataDir), 3);
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
});

Deno.test("a pool without memory is empty, and sandboxes are restored", async () => {
  await using bench = await start({ limits: { poolMin: 4, poolMemoryMb: 0 } });
  assert.equal(waiting(bench.dataDir), 0);
  assert.equal((await bench.engine.create(sandboxSpec(), soon())).origin, "restored");
});

Deno.test("a machine that dies while it waits is replaced and leaves nothing", async () => {
  await using bench = await start({ limits: { poolMin: 1, memoryDefaultMb: 256 } });
  const { engine, dataDir } = bench;
  const [first] = [...Deno.readDirSync(`${dataDir}/sandboxes`)];
  const processes = [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((name) => {
    try {
      return /^\d+$/.test(name) &&
        Deno.readTextFileSync(`/proc/${name}/cgroup`).includes(first.name);
    } catch {
      return false;
    }
  });
  assert.ok(processes.length > 1 && childCgroups("paddock").length > 0);
  for (const pid of processes) {
    try {
      Deno.kill(Number(pid), "SIGKILL");
    } catch {
      // The kernel ended it with its first process.
    }
  }
  const end = Date.now() + 20_000;
  for (;;) {
    const names = [...Deno.readDirSync(`${dataDir}/sandboxes`)].map(({ name }) => name);
    if (names.length === 1 && names[0] !== first.name) break;
    assert.ok(Date.now() < end, `still ${names}, before it ${first.name}`);
    await sleep(100);
  }
  await engine.templatesSettled();
  assert.equal((await engine.create(sandboxSpec(), soon())).origin, "pooled");
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
});

Deno.test("machines that compute while they wait are ended, and their template is made anew", async () => {
  let built = 0;
  await using bench = await start({
    limits: { poolMin: 2, memoryDefaultMb: 256 },
    exercise: async (agent) => {
      const burn = "setsid sh -c 'while :; do :; done' > /dev/null 2>&1 < /dev/null & echo $!";
      if (++built === 1) await guestShell({ agent } as RunningSandbox, burn);
    },
  });
  const { engine, dataDir } = bench;
  const names = () => [...Deno.readDirSync(`${dataDir}/sandboxes`)].map(({ name }) => name);
  const first = names();
  assert.deepEqual([first.length, built], [2, 1]);
  const end = Date.now() + 90_000;
  while (names().length !== 2 || names().some((name) => first.includes(name))) {
    assert.ok(Date.now() < end, `still ${names()}, before it ${first}; ${bench.logged}`);
    await sleep(200);
  }
  await engine.templatesSettled();
  assert.equal(built, 2);
  const box = await engine.create(sandboxSpec(), soon());
  assert.equal(box.origin, "pooled");
  assert.equal(await guestShell(box, "pgrep -c -f '[w]hile :' || true"), "0\n");
  assert.equal(bench.logged.length, 1);
  assert.match(bench.logged[0], /^machines that wait compute all the time.*"machines":2/);
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
});
