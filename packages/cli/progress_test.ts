import assert from "node:assert/strict";
import { Progress } from "./progress.ts";

Deno.test("on a pipe each step is one plain line, and repeated news is held back", () => {
  const lines: string[] = [];
  {
    using progress = new Progress({ terminal: false, write: (text) => lines.push(text) });
    progress.update({ step: "unpack", done: 1, total: 100 });
    progress.update({ step: "unpack", done: 2, total: 100 });
    progress.update({ step: "configure" });
    progress.update({ step: "configure", done: 100, total: 100 });
  }
  assert.deepEqual(lines, ["unpack 1%\n", "configure\n", "configure 100%\n"]);
});

Deno.test("on a terminal one line redraws itself and is gone at the end", () => {
  let screen = "";
  {
    using progress = new Progress({ terminal: true, write: (text) => screen += text });
    progress.update({ step: "unpack", done: 50, total: 100 });
  }
  assert.ok(screen.startsWith("\r\x1b[K[##########----------] unpack 50%"), screen);
  assert.ok(screen.endsWith("\r\x1b[K"));
});

Deno.test("details that change all the time are shown ten times a second at most", () => {
  let writes = 0;
  using progress = new Progress({ terminal: true, write: () => writes++ });
  for (let i = 0; i < 1000; i++) progress.update({ step: "copy", detail: `${i} bytes` });
  assert.ok(writes < 5, `${writes} writes`);
});
