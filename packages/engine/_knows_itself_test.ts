import { strict as assert } from "node:assert";
import { knowsItself } from "./_knows_itself.ts";

Deno.test("a machine that waited is told what it does not know", () => {
  const identity = { id: "sbx_ams_1", region: "ams" };
  const spec = { id: "sbx_ams_1", region: "ams", env: {} };
  assert.equal(knowsItself({ identity }, spec, {}), true);
  assert.equal(knowsItself({ identity }, { id: "sbx_ams_1", region: "ams" }, {}), true);
  assert.equal(knowsItself({ identity }, { ...spec, id: "sbx_ams_2" }, {}), false);
  assert.equal(knowsItself({ identity }, { ...spec, env: { A: "1" } }, {}), false);
  assert.equal(knowsItself({ identity }, spec, { ownClock: true }), false, "its clock may be late");
  assert.equal(knowsItself({}, spec, {}), false, "all it knows is that it waits");
});
