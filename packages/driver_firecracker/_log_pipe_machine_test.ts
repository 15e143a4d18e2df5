import { strict as assert } from "node:assert";
import { LogPipe } from "./_log_pipe.ts";

Deno.test("log pipe: the newest part is kept, and nobody waits for anybody", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-pipe-" });
  try {
    const path = `${directory}/log`;
    using pipe = await LogPipe.create(path, 12_345, 100);
    assert.equal(pipe.text(), "", "nothing to read is no reason to wait");
    {
      using writer = await Deno.open(path, { write: true });
      await writer.write(new TextEncoder().encode(`${"old\n".repeat(500)}newest\n`));
    }
    assert.equal(pipe.text().length, 100);
    assert.match(pipe.text(), /newest\n$/);
    const { mode, uid } = await Deno.stat(path);
    assert.deepEqual([mode! & 0o777, uid], [0o600, 12_345]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
