import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Sandbox } from "@paddock/sandbox";
import { defaultDataDir } from "../../images/image_store.ts";
import { figure, percentile } from "../figure.ts";
import { memAvailable } from "../host_memory.ts";
import { untilOrigin } from "../of_origin.ts";
import { rawQemu } from "../raw_qemu.ts";
import type { Scenario } from "../scenario.ts";

export const serverEnv = {
  PADDOCK_DRIVER: "qemu",
  PADDOCK_LIMITS_POOL_MIN: "0",
  PADDOCK_LIMITS_POOL_MAX: "0",
  PADDOCK_LIMITS_SANDBOXES: "64",
};

const ALIVE = 20;
const ALIVE_MIB = 4096;

/**
 * Sandboxes that are virtual machines, emulated where there is no KVM: from `Sandbox.create()` to the
 * first eval, beside raw restores of the same machine by QEMU, and the memory of twenty of them.
 */
const qemu: Scenario = async ({ api, token, dataDir, quick, say }) => {
  const options = { endpoint: api, token };
  const rounds = quick ? 3 : 10;
  const model = await untilOrigin({ api, token }, "restored");
  await model.kill();
  const templates = join(dataDir, "templates/qemu");
  const [key] = (await readdir(templates)).filter((name) => !name.startsWith("."));
  const manifest = JSON.parse(await readFile(join(templates, key, "template.json"), "utf8"));
  const directory = join(templates, key, "machine");
  const note = JSON.parse(await readFile(join(directory, "machine.json"), "utf8"));
  const ours: number[] = [];
  const floors: number[] = [];
  {
    await using raw = await rawQemu({
      ...{ directory, token: manifest.token },
      rootImage: await rootImageOf(note.image, dataDir),
    });
    for (let i = 0; i <= rounds; i++) {
      const floor = await raw.restoreMs();
      await settle();
      const start = performance.now();
      const sandbox = await Sandbox.create(options);
      if (await sandbox.eval("1 + 1") !== 2) throw new Error("wrong answer");
      const value = performance.now() - start;
      const { origin } = await sandbox.metadata();
      await sandbox.kill();
      if (origin !== "restored") throw new Error(`a sandbox was ${origin}`);
      await settle();
      if (i === 0) continue;
      floors.push(floor);
      ours.push(value);
      say(`${i}/${rounds}: ${value.toFixed(0)} ms, raw ${floor.toFixed(0)} ms`);
    }
  }

  const count = quick ? 3 : ALIVE;
  const before = await memAvailable();
  const sandboxes: Sandbox[] = [];
  let alive = 0;
  try {
    for (let i = 0; i < count; i++) sandboxes.push(await Sandbox.create(options));
    for (const box of sandboxes) if (await box.deno.eval<number>("6 * 7") === 42) alive++;
    say(`${alive} of ${count} alive`);
    await new Promise((r) => setTimeout(r, 5_000));
    const held = (before - await memAvailable()) / 1024 ** 2;
    return [
      figure({ scenario: "qemu", metric: "restore_to_first_eval_p50", unit: "ms" }, {
        value: percentile(ours, 50),
        floor: percentile(floors, 50),
        target: { on: "ratio", at: "most", than: 1.3 },
      }),
      figure({ scenario: "qemu", metric: "alive_and_answering", unit: "sandboxes" }, {
        value: alive,
        target: { on: "value", at: "least", than: count },
      }),
      figure({ scenario: "qemu", metric: "mem_available_of_all", unit: "MiB" }, {
        value: held,
        target: { on: "value", at: "most", than: ALIVE_MIB * count / ALIVE },
      }),
    ];
  } finally {
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill().catch(() => {})));
  }
};
export default qemu;

const settle = () => new Promise((r) => setTimeout(r, 1_000));

/** The packed image lies beside the image's own directory, in either of the two stores. */
async function rootImageOf(digest: string, dataDir: string): Promise<string> {
  for (const store of [dataDir, defaultDataDir]) {
    const manifest = join(store, "images", digest, "manifest.json");
    const found = await readFile(manifest).then(() => true, () => false);
    if (found) return join(dirname(manifest), "vm-root", "tree.erofs");
  }
  throw new Error(`there is no image ${digest}`);
}
