import { strict as assert } from "node:assert";
import type { Machine } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { MachineDied } from "./machine_died.ts";
import { type Pausable, type PausedMachines, Pausing } from "./_pausing.ts";
import type { PausedState, SandboxState } from "./engine.ts";

const crash = () =>
  new PaddockError("CHECKPOINT_FAILED", {
    cause: new PaddockError("RESTORE_FAILED", { cause: new MachineDied({ reason: "crashed" }) }),
  });

/** A sandbox without a machine; `keep` is what writing one does. */
function bench(keep: () => Promise<string>) {
  const did: string[] = [];
  const ending = new AbortController();
  const sandbox = {
    spec: { id: "sbx", organizationId: "org" },
    state: "running" as SandboxState,
    ending: ending.signal,
    machine: {
      pause: () => Promise.resolve(void did.push("freeze")),
      resume: () => Promise.resolve(void did.push("thaw")),
    } as unknown as Machine,
    getQuiet: () => Promise.resolve(),
    refusePause: () => Promise.resolve(),
    fallAsleep(checkpoint: string) {
      did.push(`asleep in ${checkpoint}`);
      sandbox.state = "paused";
      pausing.paused = { at: 0, checkpoint, leftMs: 1 };
      return Promise.resolve();
    },
    wakeUp() {
      did.push("awake");
      sandbox.state = "running";
      return Promise.resolve();
    },
  } satisfies Pausable;
  const machines: PausedMachines = {
    keep,
    use: (id) => {
      did.push(`use ${id}`);
      const source = { directory: id, token: "", users: 0 };
      return Promise.resolve({ source, release: () => Promise.resolve() });
    },
    remove: (id) => Promise.resolve(void did.push(`remove ${id}`)),
    refuseWithoutRoom: () => Promise.resolve(),
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const pausing = new Pausing(sandbox, machines, {
    log,
    took: { pausing() {}, resuming() {} },
  });
  return { did, sandbox, machines, pausing, ending };
}

const { signal } = new AbortController();
const around = <T>(work: () => Promise<T>) => work();

Deno.test("pausing and resuming take turns, and the machine's files go when it runs again", async () => {
  const { did, pausing, sandbox } = bench(() => Promise.resolve("chk_1"));
  const all = [pausing.pause(signal, around), pausing.pause(signal, around)];
  await Promise.all([...all, pausing.resume(signal), pausing.resume(signal)]);
  await pausing.settled();
  assert.deepEqual(did, ["freeze", "asleep in chk_1", "use chk_1", "awake", "remove chk_1"]);
  assert.equal(sandbox.state, "running");
  assert.equal(pausing.paused, null);
  assert.equal(pausing.underWay, false);
});

Deno.test("a pause that fails lets the machine go on; a passing failure is tried again", async () => {
  const full = bench(() => Promise.reject(new PaddockError("DISK_FULL")));
  await assert.rejects(full.pausing.pause(signal, around), { code: "DISK_FULL" });
  assert.deepEqual(full.did, ["freeze", "thaw"]);
  let tries = 0;
  const passing = bench(() => ++tries < 3 ? Promise.reject(crash()) : Promise.resolve("chk_3"));
  await passing.pausing.pause(signal, around);
  assert.deepEqual(passing.did, ["freeze", "thaw", "freeze", "thaw", "freeze", "asleep in chk_3"]);
});

Deno.test("a sandbox that cannot be resumed stays paused, with its files", async () => {
  const { did, pausing, machines, sandbox } = bench(() => Promise.resolve("chk_1"));
  await pausing.pause(signal, around);
  machines.refuseWithoutRoom = () => Promise.reject(new PaddockError("CAPACITY_EXHAUSTED"));
  await assert.rejects(pausing.resume(signal), { code: "CAPACITY_EXHAUSTED" });
  assert.equal(sandbox.state, "paused");
  assert.deepEqual(pausing.paused satisfies PausedState | null, {
    ...{ at: 0, checkpoint: "chk_1", leftMs: 1 },
  });
  assert.deepEqual(did, ["freeze", "asleep in chk_1"]);
  await pausing.end();
  assert.deepEqual(did.at(-1), "remove chk_1");
});
