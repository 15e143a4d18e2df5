import { strict as assert } from "node:assert";
import { ensureImage } from "../../images/build_image.ts";
import type { RunningSandbox } from "./engine.ts";
import { type BenchOptions, sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";
import { leftovers } from "./testing/leftovers.ts";

const MiB = 1024 * 1024;
const CREATE_MS = 60_000;
const soon = () => AbortSignal.timeout(CREATE_MS);

async function start(options: Partial<BenchOptions> = {}) {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  const image = { digest, rootfs, env: manifest.env };
  const bench = await startBench({ image, templates: true, ...options });
  await bench.engine.templatesSettled();
  return bench;
}

Deno.test("a sandbox is restored as the one that was asked for", async () => {
  await using bench = await start();
  const { engine } = bench;
  const spec = (more: object) =>
    sandboxSpec({ region: "ams", env: { COLOUR: "blue" }, memoryBytes: 300 * MiB, ...more });
  const sandboxes: RunningSandbox[] = await Promise.all([
    engine.create(spec({}), soon()),
    engine.create(spec({ env: { COLOUR: "red" } }), soon()),
  ]);
  const [one, two] = sandboxes;
  assert.deepEqual(sandboxes.map(({ origin }) => origin), ["restored", "restored"]);
  const hostname = one.spec.id.replaceAll("_", "-");
  assert.deepEqual(
    (await guestShell(one, "hostname; cat /etc/hostname; echo $COLOUR; pwd; whoami")).trim()
      .split("\n"),
    [hostname, hostname, "blue", "/home/sandbox", "sandbox"],
  );
  assert.match(
    await guestShell(one, "cat /etc/hosts"),
    new RegExp(`${one.agent.host} ${hostname}`),
  );
  assert.equal((await guestShell(one, "echo $SHELL $HOME")).trim(), "/bin/bash /home/sandbox");
  assert.equal((await guestShell(two, "echo $COLOUR")).trim(), "red");
  const memory = /MemTotal:\s+(\d+) kB/.exec(await guestShell(one, "cat /proc/meminfo"));
  assert.equal(Number(memory?.[1]), 300 * 1024);
  for (const path of ["/tmp", "/dev/shm"]) {
    const [size, mode] = (await guestShell(
      one,
      `df --output=size ${path} | tail -1; stat -c %a ${path}`,
    )).trim().split("\n");
    assert.deepEqual([Number(size), mode], [150 * 1024, "1777"], path);
  }
  assert.ok(Math.abs(Number(await guestShell(one, "date +%s%3N")) - Date.now()) < 1_000);

  // No token opens two of them, and none that the template had.
  assert.notEqual(one.agent.token, two.agent.token);
  const status = async (sandbox: RunningSandbox, token: string) => {
    const { host, port } = sandbox.agent;
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://${host}:${port}/health`, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await status(one, one.agent.token), 200);
  assert.equal(await status(two, one.agent.token), 401);
  const [key] = [...Deno.readDirSync(`${bench.dataDir}/templates/gvisor`)].map(({ name }) => name);
  const { token } = JSON.parse(
    await Deno.readTextFile(`${bench.dataDir}/templates/gvisor/${key}/template.json`),
  );
  assert.equal(await status(one, token), 401);

  for (const file of ["/etc/machine-id", "/etc/hostname"]) {
    const [a, b] = await Promise.all(sandboxes.map((box) => guestShell(box, `cat ${file}`)));
    assert.ok(a.length > 8 && a !== b, `${file} is the same in two sandboxes: ${a}`);
  }
  const random =
    "head -c 16 /dev/urandom | od -An -tx1; deno eval 'console.log(Math.random(), crypto.randomUUID())'";
  const [a, b] = await Promise.all(sandboxes.map((box) => guestShell(box, random)));
  assert.ok(a.length > 60 && a !== b, a);
  await engine.close();
  assert.deepEqual(await leftovers(bench.dataDir), []);
  assert.deepEqual(bench.logged, []);
});

Deno.test("a template is used again by the next engine, unless it was damaged", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  try {
    const templates = `${dataDir}/templates/gvisor`;
    const names = () => [...Deno.readDirSync(templates)].map(({ name }) => name);
    const madeAt = (key: string) => Deno.statSync(`${templates}/${key}/template.json`).mtime;
    let key: string;
    {
      await using _ = await start({ dataDir });
      [key] = names();
      assert.equal(names().length, 1);
    }
    const first = madeAt(key);
    await Deno.mkdir(`${templates}/.building-left-behind`);
    await Deno.mkdir(`${templates}/0123456789abcdef0123456789abcdef`);
    {
      await using _ = await start({ dataDir });
      assert.deepEqual(names(), [key]);
      assert.deepEqual(madeAt(key), first);
    }
    using pages = await Deno.open(`${templates}/${key}/machine/pages.img`, { write: true });
    await pages.seek(1_000_000, Deno.SeekMode.Start);
    await pages.write(new Uint8Array(64).fill(0x5a));
    await using again = await start({ dataDir });
    assert.notDeepEqual(madeAt(key), first);
    assert.equal(again.logged.length, 1);
    assert.match(again.logged[0], /damaged.*pages\.img is not what was written/);
    const sandbox = await again.engine.create(sandboxSpec(), soon());
    assert.equal(sandbox.origin, "restored");
    await again.engine.close();
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a sandbox that cannot be restored boots, and the template is made anew", async () => {
  await using bench = await start();
  const templates = `${bench.dataDir}/templates/gvisor`;
  const [key] = [...Deno.readDirSync(templates)].map(({ name }) => name);
  await Deno.truncate(`${templates}/${key}/machine/checkpoint.img`, 1_000);
  const sandbox = await bench.engine.create(sandboxSpec(), soon());
  assert.equal(sandbox.origin, "booted");
  assert.equal((await guestShell(sandbox, "whoami")).trim(), "sandbox");
  assert.ok(
    bench.logged.some((line) => /could not be restored/.test(line)),
    bench.logged.join("\n"),
  );
  await sandbox.kill();
  await bench.engine.close();
  assert.deepEqual(await leftovers(bench.dataDir), []);
});

Deno.test("an engine that closes while a template is made leaves nothing", async () => {
  await using bench = await startBench({
    image: await ensureImage({ dataDir: "/var/lib/paddock", trust: "host" }),
    templates: true,
  });
  await new Promise((resolve) => setTimeout(resolve, 700));
  await bench.engine.close();
  assert.deepEqual([...Deno.readDirSync(`${bench.dataDir}/templates/gvisor`)], []);
  assert.deepEqual(await leftovers(bench.dataDir), []);
});
