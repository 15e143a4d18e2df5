import { strict as assert } from "node:assert";
import { sleep } from "@paddock/driver";
import { HaltWatch } from "./_halt_watch.ts";

async function haltsAfter(chunks: string[]): Promise<number> {
  using watch = new HaltWatch();
  let halts = 0;
  watch.onHalt = () => halts++;
  for (const chunk of chunks) watch.see(new TextEncoder().encode(chunk));
  await sleep(700);
  return halts;
}

Deno.test("halt: the kernel's last words are heard, in pieces too, and only as the last", async () => {
  const halted = "[   12.345678] reboot: System halted\r\n";
  const heard = await Promise.all([
    haltsAfter([halted]),
    haltsAfter(["noise\n".repeat(1_000), "[    1.5] reboot: Po", "wer down\n"]),
    haltsAfter([halted, "and yet something follows\n"]),
    haltsAfter(["echo reboot: System halted\n"]),
    haltsAfter(["reboot: Restarting system\n"]),
  ]);
  assert.deepEqual(heard, [1, 1, 0, 0, 0]);
});
