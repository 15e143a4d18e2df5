import assert from "node:assert/strict";
import type { HostReport } from "../doctor/examine_host.ts";
import { renderReport } from "./doctor.ts";

const able: HostReport = {
  ok: true,
  version: "0.1.0",
  drivers: [{
    name: "gvisor",
    works: true,
    version: "20240729",
    capabilities: [],
    notes: [],
    problems: [],
    fix: null,
  }],
  checks: [{ name: "kernel", status: "ok", detail: "6.1" }],
  image: { present: true, digest: "d", detail: "built (d)" },
  fixes: [],
};

Deno.test("a report says what works and that nothing is to do", () => {
  const text = renderReport(able);
  assert.match(text, /^kernel +ok +6\.1$/m);
  assert.match(text, /^gvisor +works +20240729$/m);
  assert.match(text, /This host can run sandboxes\.$/);
});

Deno.test("a report of a host that cannot names each thing to do once", () => {
  const text = renderReport({
    ...able,
    ok: false,
    drivers: [{
      ...able.drivers[0],
      works: false,
      problems: ["There is no runsc on this host."],
      fix: "npm run setup",
    }],
    checks: [{ name: "nft", status: "missing", detail: "not installed", fix: "apt install nft" }],
    fixes: ["apt install nft", "npm run setup"],
  });
  assert.match(text, /^nft +MISSING +not installed$/m);
  assert.match(text, /^gvisor +no +There is no runsc on this host\.$/m);
  assert.match(
    text,
    /This host cannot run sandboxes\.\nWhat to do:\n {2}apt install nft\n {2}npm run setup$/,
  );
});
