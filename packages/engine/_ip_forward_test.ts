import assert from "node:assert/strict";
import { switchOnForwarding } from "./_ip_forward.ts";

Deno.test("forwarding is switched on, and said, once", async () => {
  const setting = await Deno.makeTempFile({ prefix: "paddock-ip-forward-" });
  try {
    const said: string[] = [];
    const log = { debug() {}, warn() {}, error() {}, info: (text: string) => void said.push(text) };
    await Deno.writeTextFile(setting, "0\n");
    switchOnForwarding(log, setting);
    assert.equal((await Deno.readTextFile(setting)).trim(), "1");
    assert.match(said.join(), /net\.ipv4\.ip_forward/);
    switchOnForwarding(log, setting);
    assert.equal(said.length, 1);
  } finally {
    await Deno.remove(setting);
  }
});
