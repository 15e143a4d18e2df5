import { strict as assert } from "node:assert";
import { Cgroup, findCgroups } from "./cgroup.ts";
import { sleep } from "./sleep.ts";

const line = (mount: string, type: string, options: string) =>
  `30 23 0:26 / ${mount} rw,relatime shared:9 - ${type} ${type} rw,${options}`;

Deno.test("hierarchies of v1 are found where they are mounted, joined ones once", () => {
  const host = findCgroups([
    line("/sys/fs/cgroup/unified", "cgroup2", "nsdelegate"),
    line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"),
    line("/sys/fs/cgroup/memory", "cgroup", "memory"),
    line("/sys/fs/cgroup/pids", "cgroup", "pids"),
  ].join("\n"));
  assert.equal(host.version, 1);
  assert.deepEqual(new Cgroup("paddock/x", host).directories, [
    "/sys/fs/cgroup/memory/paddock/x",
    "/sys/fs/cgroup/cpu,cpuacct/paddock/x",
    "/sys/fs/cgroup/pids/paddock/x",
  ]);
});

Deno.test("v2 has one hierarchy", () => {
  const host = findCgroups(line("/sys/fs/cgroup", "cgroup2", "nsdelegate"));
  assert.equal(host.version, 2);
  assert.deepEqual(new Cgroup("paddock/x", host).directories, ["/sys/fs/cgroup/paddock/x"]);
});

Deno.test("a host without the controllers is refused by their names", () => {
  assert.throws(() => findCgroups(line("/sys/fs/cgroup/cpu", "cgroup", "cpu")), /memory.*pids/);
});

Deno.test("limits, counters and an end, on files as v2 has them", async () => {
  const mount = await Deno.makeTempDir({ prefix: "paddock-cgroup-" });
  try {
    const directory = `${mount}/a/b`;
    await Deno.mkdir(directory, { recursive: true });
    for (const name of ["memory.max", "pids.max", "cpu.max", "cpu.weight", "memory.swap.max"]) {
      await Deno.writeTextFile(`${directory}/${name}`, "");
    }
    for (const at of [mount, `${mount}/a`]) {
      await Deno.writeTextFile(`${at}/cgroup.subtree_control`, "");
    }
    await Deno.writeTextFile(`${directory}/memory.events`, "oom 3\noom_kill 2\n");
    await Deno.writeTextFile(`${directory}/memory.stat`, "anon 10\nfile 500\nkernel 5\nshmem 7\n");
    await Deno.writeTextFile(`${directory}/cpu.stat`, "usage_usec 77\nuser_usec 1\n");
    const mounts = { memory: mount, cpu: mount, cpuacct: mount, pids: mount };
    const cgroup = new Cgroup("a/b", { version: 2, mounts });
    cgroup.create({ memoryBytes: 1000, pids: 9 });
    cgroup.limitCpus(1.5);
    cgroup.setWeight(20);
    const read = (name: string) => Deno.readTextFileSync(`${directory}/${name}`);
    assert.deepEqual(["memory.max", "pids.max", "cpu.max", "cpu.weight"].map(read), [
      "1000",
      "9",
      "150000 100000",
      "20",
    ]);
    assert.equal(
      Deno.readTextFileSync(`${mount}/a/cgroup.subtree_control`),
      "+memory +cpu +pids",
    );
    assert.equal(cgroup.oomKills(), 2);
    assert.equal(cgroup.memoryBytes(), 22);
    assert.equal(cgroup.cpuMicroseconds(), 77);
    assert.deepEqual(cgroup.processes(), []);
  } finally {
    await Deno.remove(mount, { recursive: true });
  }
});

Deno.test("a thread that would run if it could makes a cgroup busy, one that waits does not", async () => {
  const mount = await Deno.makeTempDir({ prefix: "paddock-cgroup-" });
  const waiting = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const working = new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn();
  try {
    const mounts = { memory: mount, cpu: mount, cpuacct: mount, pids: mount };
    const cgroup = new Cgroup("a", { version: 2, mounts });
    assert.equal(cgroup.isBusy(), false, "one that is gone");
    Deno.mkdirSync(`${mount}/a`);
    const threads = (pids: number[]) =>
      Deno.writeTextFileSync(`${mount}/a/cgroup.threads`, pids.map((pid) => `${pid}\n`).join(""));
    const becomes = async (busy: boolean) => {
      for (const end = performance.now() + 10_000; cgroup.isBusy() !== busy;) {
        assert.ok(performance.now() < end, `it does not become ${busy ? "busy" : "idle"}`);
        await sleep(5);
      }
    };
    threads([waiting.pid, working.pid]);
    await becomes(true);
    threads([waiting.pid]);
    await becomes(false);
  } finally {
    for (const child of [waiting, working]) {
      child.kill("SIGKILL");
      await child.status;
    }
    await Deno.remove(mount, { recursive: true });
  }
});
