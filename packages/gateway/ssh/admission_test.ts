import assert from "node:assert/strict";
import { Admission, sourceOf } from "./admission.ts";

const limits = { sshConnections: 10, sshHandshakes: 8, sshAuthFailuresPerMinute: 3 };

Deno.test("one address holds a quarter of the handshakes, all together all of them", () => {
  const admission = new Admission(limits);
  const first = admission.admit("192.0.2.1")!;
  assert.ok(admission.admit("192.0.2.1"));
  assert.equal(admission.admit("192.0.2.1"), undefined);
  for (const last of [2, 3, 4]) {
    assert.ok(admission.admit(`192.0.2.${last}`));
    assert.ok(admission.admit(`192.0.2.${last}`));
  }
  assert.equal(admission.admit("192.0.2.9"), undefined);
  first.authenticated();
  first.authenticated();
  assert.ok(admission.admit("192.0.2.1"));
  assert.equal(admission.admit("192.0.2.1"), undefined);
});

Deno.test("connections are counted until they are released, each once", () => {
  const admission = new Admission(limits);
  const open = Array.from({ length: 10 }, (_, i) => {
    const admitted = admission.admit(`198.51.100.${i}`)!;
    admitted.authenticated();
    return admitted;
  });
  assert.equal(admission.admit("192.0.2.1"), undefined);
  open[0].release();
  open[0].release();
  open[0].authenticated();
  assert.ok(admission.admit("192.0.2.1"));
  assert.equal(admission.admit("192.0.2.2"), undefined);
});

Deno.test("an address with too many wrong names waits for the minute to pass", () => {
  let now = 0;
  const admission = new Admission(limits, () => now);
  for (let i = 0; i < 3; i++) {
    const admitted = admission.admit("2001:db8:0:1::5")!;
    admitted.failed();
    admitted.release();
  }
  assert.equal(admission.admit("2001:db8:0:1::77"), undefined);
  assert.ok(admission.admit("2001:db8:0:2::5"));
  now = 60_000;
  assert.ok(admission.admit("2001:db8:0:1::5"));
});

Deno.test("what counts as one source", () => {
  assert.equal(sourceOf("203.0.113.7"), "203.0.113.7");
  assert.equal(sourceOf("::ffff:203.0.113.7"), "203.0.113.7");
  assert.equal(sourceOf("::1"), "0:0:0:0");
  assert.equal(sourceOf("2001:db8::1"), "2001:db8:0:0");
  assert.equal(sourceOf("2001:0db8:0000:0001:2:3:4:5"), "2001:db8:0:1");
  assert.equal(sourceOf("fe80::1%eth0"), "fe80:0:0:0");
});
