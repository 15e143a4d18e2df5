import { strict as assert } from "node:assert";
import { checkVolumeImage } from "@paddock/driver";
import { openVolumes } from "../testing/killed_volumes.ts";

const program = new URL("../testing/killed_volumes.ts", import.meta.url).pathname;

async function runUntil(directory: string, step: number): Promise<string> {
  const { stdout, stderr, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", program, directory, String(step)],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(signal === "SIGKILL" || text.startsWith("done"), new TextDecoder().decode(stderr));
  return text;
}

Deno.test("a daemon killed at any step leaves volumes whole or gone, and no file besides", async () => {
  const killedAt: string[] = [];
  for (let step = 1; step < 100; step++) {
    const directory = await Deno.makeTempDir({ prefix: "paddock-killed-volumes-" });
    try {
      const said = await runUntil(directory, step);
      const files = () =>
        [...Deno.readDirSync(`${directory}/volumes`)].filter(({ isFile }) => isFile)
          .map(({ name }) => name).sort();
      const before = files();
      const { volumes, store, logged } = await openVolumes(directory);
      assert.deepEqual(logged, [], `step ${step}`);
      const records = store.all();
      assert.deepEqual(files(), records.map(({ id }) => `${id}.img`).sort(), `step ${step}`);
      for (const record of records) {
        assert.deepEqual([record.state, record.attachedTo], ["ready", null], `step ${step}`);
        await checkVolumeImage(`${directory}/volumes/${record.id}.img`);
      }
      // Whatever went, its name is free; whatever stayed can be used and deleted.
      const slugs = records.map(({ slug }) => slug).sort().join(" ");
      killedAt.push(`${before.length} files, then ${slugs || "none"}`);
      for (const record of records) await volumes.remove(record.id);
      await volumes.create(
        { organizationId: "test", region: "ord", slug: "empty", capacityBytes: 64 * 1024 ** 2 },
        AbortSignal.timeout(60_000),
      );
      await volumes.close();
      if (said.startsWith("done")) {
        assert.equal(slugs, "boot copy");
        break;
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
  // It was killed with a file there that nobody may see, and with one gone that a record names.
  assert.ok(killedAt.length > 24, killedAt.join("\n"));
  assert.ok(new Set(killedAt).size >= 8, killedAt.join("\n"));
});
