import { strict as assert } from "node:assert";
import { withoutNotices } from "./_without_notices.ts";

const NOTICE =
  "qemu: ram_block_discard_range: Discarding RAM with readonly files is not supported\n";

async function filtered(chunks: Uint8Array[]): Promise<string> {
  return await new Response(ReadableStream.from(chunks).pipeThrough(withoutNotices())).text();
}

Deno.test("console: QEMU's notices about pages are left out, wherever chunks end", async () => {
  const bytes = new TextEncoder().encode(
    `grüße${NOTICE}${NOTICE}qemu: terminating\n${NOTICE}end qem`,
  );
  for (let size = 1; size < bytes.length; size++) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
    assert.equal(await filtered(chunks), "grüßeqemu: terminating\nend qem");
  }
});
