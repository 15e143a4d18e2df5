import assert from "node:assert/strict";
import { boundDaemonLog, turnOver } from "./daemon_log.ts";

Deno.test("a log that is full becomes the old one, and its writer goes on from the start", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-daemon-log-" });
  try {
    const path = `${directory}/daemon.log`;
    using writer = await Deno.open(path, { append: true, create: true, mode: 0o600 });
    const say = (text: string) => writer.write(new TextEncoder().encode(text));
    await say("first");
    turnOver(path, 100);
    assert.equal(await Deno.readTextFile(path), "first");
    for (const round of ["a", "b"]) {
      await say(round.repeat(200));
      turnOver(path, 100);
      await say("next");
      assert.equal(await Deno.readTextFile(path), "next");
      assert.match(await Deno.readTextFile(`${path}.1`), new RegExp(`${round}{200}$`));
    }
    assert.equal((await Deno.stat(`${path}.1`)).mode! & 0o777, 0o600);
    assert.deepEqual(
      [...Deno.readDirSync(directory)].map(({ name }) => name).sort(),
      ["daemon.log", "daemon.log.1"],
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a file that is not this process's standard error is left alone", async () => {
  const path = await Deno.makeTempFile({ prefix: "paddock-daemon-log-" });
  try {
    await Deno.writeTextFile(path, "theirs");
    assert.equal(boundDaemonLog(path, 1), undefined);
    assert.equal(await Deno.readTextFile(path), "theirs");
  } finally {
    await Deno.remove(path);
  }
});
