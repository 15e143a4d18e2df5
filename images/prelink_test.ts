import { strict as assert } from "node:assert";
import { findHostPrograms } from "./host_programs.ts";
import { prelink } from "./prelink.ts";

/** Calls out to C and back, starts a thread, fails and compiles: what a program at a wrong address cannot. */
const PROGRAM = `
  const { symbols } = Deno.dlopen("libc.so.6", {
    qsort: { parameters: ["buffer", "usize", "usize", "function"], result: "void" },
  });
  const number = (at) => new Deno.UnsafePointerView(at).getInt32();
  const order = new Deno.UnsafeCallback(
    { parameters: ["pointer", "pointer"], result: "i32" },
    (one, other) => number(one) - number(other),
  );
  const numbers = new Int32Array([3, 1, 2]);
  symbols.qsort(new Uint8Array(numbers.buffer), 3n, 4n, order.pointer);
  const source = "postMessage(6 * 7); close()";
  const worker = new Worker("data:text/javascript," + source, { type: "module" });
  const answer = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  const deep = (n) => n === 0 ? 0 : 1 + deep(n - 1);
  let failure;
  try { deep(1e9) } catch (error) { failure = error.name }
  const { DatabaseSync } = await import("node:sqlite");
  const row = new DatabaseSync(":memory:").prepare("select 40 + 2 as sum").get();
  console.log(JSON.stringify([[...numbers], answer, failure, row.sum, Deno.version.deno]));
  Deno.exit(7);
`;

Deno.test("a prelinked Deno lies at one address, shares what was written into it, and does what Deno does", async () => {
  const { deno } = await findHostPrograms();
  const original = await Deno.readFile(deno.path);
  const prelinked = prelink(original);
  assert.equal(prelinked.length, original.length);
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, prelinked);
    await Deno.chmod(path, 0o755);
    const { code, stdout, stderr } = await new Deno.Command(path, {
      args: ["eval", PROGRAM],
      env: { NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    const expected = [[1, 2, 3], 42, "RangeError", 42, deno.version];
    assert.equal(new TextDecoder().decode(stdout), `${JSON.stringify(expected)}\n`, said);
    assert.equal(code, 7);

    const maps = `console.log(Deno.readTextFileSync("/proc/self/smaps"))`;
    const [before, after] = await Promise.all(
      [deno.path, path].map(async (program) => {
        const { stdout } = await new Deno.Command(program, { args: ["eval", maps] }).output();
        return ownBytes(new TextDecoder().decode(stdout), await Deno.realPath(program));
      }),
    );
    // Its tables of addresses are some 2.4 MB, and what remains is what it writes to.
    assert.ok(before > 2e6 && after < before / 4, `${before} bytes of its own, and then ${after}`);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("what is not known is refused", async () => {
  const { deno } = await findHostPrograms();
  const original = await Deno.readFile(deno.path);
  assert.throws(() => prelink(prelink(original)), /at one address already/);
  assert.throws(() => prelink(new TextEncoder().encode("#!/bin/sh\n")), /no ELF program/);
  const arm = original.slice();
  arm[18] = 183;
  assert.throws(() => prelink(arm), /no ELF program for x86-64/);
});

/** Of the pages of a file that a process has, those that are its own. */
function ownBytes(smaps: string, path: string): number {
  let inside = false;
  let bytes = 0;
  for (const line of smaps.split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) inside = line.endsWith(path);
    else if (inside && line.startsWith("Private_Dirty:")) {
      bytes += Number(line.split(/\s+/)[1]) * 1024;
    }
  }
  return bytes;
}
