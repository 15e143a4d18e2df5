import { strict as assert } from "node:assert";
import { guestEnd } from "./guest_end.ts";

Deno.test("guest's end: the last exit that init reported, a panic, a failed start, nothing", () => {
  assert.deepEqual(guestEnd("hello\nbye"), undefined);
  const twice =
    "paddock: the first program ended with 0\nx\npaddock: the first program ended with 3\r\n";
  assert.deepEqual(guestEnd(twice), { reason: "guest_exited", code: 3 });
  assert.deepEqual(guestEnd("echo paddock: the first program ended with 3 oh"), undefined);
  const panic = guestEnd(
    "[1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0\n",
  );
  assert.equal(panic?.reason, "crashed");
  assert.match(panic?.why ?? "", /Attempted to kill init/);
  const start = guestEnd("paddock: the guest cannot start: mount /dev/vda\n");
  assert.equal(start?.reason, "crashed");
  assert.match(start?.why ?? "", /mount \/dev\/vda/);
});

Deno.test("guest's end: a first program that the guest's kernel killed for its memory", () => {
  const text =
    "Out of memory: Killed process 33 (python3)\npaddock: the first program ended with 137\n";
  assert.equal(guestEnd(text)?.reason, "out_of_memory");
  assert.equal(guestEnd(text.split("\n")[1])?.reason, "guest_exited");
});
