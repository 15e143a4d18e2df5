import assert from "node:assert/strict";
import { setupFirecracker } from "./setup.ts";

Deno.test("setup firecracker: options that do not go together are refused before anything is done", async () => {
  await assert.rejects(setupFirecracker({ binary: "/fc" }), /belong together/);
  await assert.rejects(setupFirecracker({ jailer: "/jailer" }), /belong together/);
  const both = { binary: "/fc", jailer: "/jailer" };
  await assert.rejects(setupFirecracker({ ...both, release: "1.16.1" }), /instead of one/);
  await assert.rejects(setupFirecracker({ ...both, sha256: "0".repeat(64) }), /instead of one/);
});

Deno.test("setup firecracker: what is given lies below the data directory afterwards", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-setup-" });
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => lines.push(line);
  try {
    for (const [name, says] of [["fc", "Firecracker v1.16.1"], ["jailer", "Jailer v1.16.1"]]) {
      const script = `#!/bin/sh\necho '${says}'\n`;
      await Deno.writeTextFile(`${dataDir}/${name}`, script, { mode: 0o755 });
    }
    const [binary, jailer] = [`${dataDir}/fc`, `${dataDir}/jailer`];
    await setupFirecracker({ dataDir, binary, jailer, json: true });
    const installed = JSON.parse(lines[0]);
    assert.equal(installed.version, "1.16.1");
    assert.equal(installed.firecracker, `${dataDir}/firecracker/firecracker`);
    assert.match(installed.sha256.firecracker, /^[0-9a-f]{64}$/);
    assert.equal((await Deno.stat(installed.jailer)).mode! & 0o777, 0o755);
  } finally {
    console.log = log;
    await Deno.remove(dataDir, { recursive: true });
  }
});
