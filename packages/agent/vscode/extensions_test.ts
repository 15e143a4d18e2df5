import assert from "node:assert/strict";
import type { GuestProcess } from "../process/guest_process.ts";
import { chooseExtensions, type Extension, installExtensions } from "./extensions.ts";

const id = (source: string): Extension => ({ source, local: false });

Deno.test("extensions: Deno's by default, once; a package must be there", async () => {
  assert.deepEqual(chooseExtensions([], "/"), [id("denoland.vscode-deno")]);
  const own = ["Denoland.vscode-deno@3.40.0", "a.b"];
  assert.deepEqual(chooseExtensions(own, "/"), own.map(id));
  const file = await Deno.makeTempFile({ suffix: ".vsix" });
  try {
    const name = file.slice(file.lastIndexOf("/") + 1);
    const [chosen] = chooseExtensions([name], "/tmp");
    assert.deepEqual(chosen, { source: file, local: true });
  } finally {
    await Deno.remove(file);
  }
  assert.throws(() => chooseExtensions(["/no/such.vsix"], "/"), Deno.errors.NotFound);
});

Deno.test("extensions: what the marketplace would have is said to be missing, a package is installed", async () => {
  const ran: string[] = [];
  const said: string[] = [];
  await installExtensions({
    extensions: [id("a.b"), { source: "/x.vsix", local: true }, { source: "/y.vsix", local: true }],
    // Nothing listens there.
    marketplace: "http://127.0.0.1:1/",
    run: (source) => {
      ran.push(source);
      const status = Promise.resolve({ success: source === "/x.vsix" });
      return { status, kill: () => true } as unknown as GuestProcess;
    },
    say: (line) => said.push(line),
    signal: AbortSignal.timeout(10_000),
  });
  assert.deepEqual(ran, ["/x.vsix", "/y.vsix"]);
  assert.equal(said.length, 2);
  assert.match(said[0], /a\.b is not installed: the marketplace cannot be reached/);
  assert.match(said[1], /\/y\.vsix is not installed/);
});

Deno.test("extensions: none is begun after the editor's end", async () => {
  await installExtensions({
    extensions: [{ source: "/x.vsix", local: true }],
    marketplace: undefined,
    run: () => assert.fail("it was begun"),
    say: () => {},
    signal: AbortSignal.abort(),
  });
});
