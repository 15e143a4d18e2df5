import assert from "node:assert/strict";
import { join } from "node:path";
import { runChild } from "./run_child.ts";
import { ensureVscodeLayer, layersDirectory, vscodeLayerIsBuilt } from "./vscode_layer.ts";

// Installing it takes a minute and a network: the life of a layer is tried with a stand-in for npm, and
// what npm made with the layer that setup has built.

const shared = "/var/lib/paddock";

async function temporaryDataDir(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-layers-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

/** On a host that was set up, every data directory finds the layer there: hidden from the test. */
async function withoutShared(script: string, dataDir: string) {
  const lines = await runChild([
    ...["unshare", "--mount", "sh", "-ec"],
    `mount -t tmpfs tmpfs ${shared}; exec "$@"`,
    ...["sh", Deno.execPath(), "eval", "--no-lock", "--no-check"],
    `import { ensureVscodeLayer } from ${JSON.stringify(import.meta.resolve("./vscode_layer.ts"))};
    const dataDir = ${JSON.stringify(dataDir)};
    const report = (value) => console.log("=" + JSON.stringify(value));
    ${script}`,
  ], { timeoutMs: 60_000 });
  return lines.filter((line) => line.startsWith("=")).map((line) => JSON.parse(line.slice(1)));
}

Deno.test("a layer is installed once, by one of several who ask, and appears whole", async () => {
  await using dir = await temporaryDataDir();
  const [runs, seenWhileBuilding] = await withoutShared(
    `let runs = 0, seen;
    const install = async ({ into }) => {
      runs++;
      await Deno.writeTextFile(into + "/part", "one");
      await new Promise((resolve) => setTimeout(resolve, 300));
      seen = [...Deno.readDirSync(dataDir + "/layers")].map(({ name }) => name);
    };
    await Promise.all([1, 2, 3].map(() => ensureVscodeLayer({ dataDir, install })));
    await ensureVscodeLayer({ dataDir, install });
    report(runs);
    report(seen);`,
    dir.path,
  );
  assert.equal(runs, 1);
  assert.equal(seenWhileBuilding.filter((name: string) => name.startsWith("vscode-")).length, 0);
  const [name, ...others] = names(join(dir.path, "layers"));
  assert.match(name, /^vscode-[0-9a-f]{32}$/);
  assert.deepEqual(others, []);
  const manifest = JSON.parse(
    await Deno.readTextFile(join(dir.path, "layers", name, "manifest.json")),
  );
  assert.equal(`vscode-${manifest.digest}`, name);
});

Deno.test("one that fails or is interrupted leaves nothing, and the next begins anew", async () => {
  await using dir = await temporaryDataDir();
  const [failure, left, killed] = await withoutShared(
    `const install = () => Promise.reject(new Error("no network"));
    await ensureVscodeLayer({ dataDir, install }).catch((error) => report(error.message));
    report([...Deno.readDirSync(dataDir + "/layers")].length);
    // As a builder leaves it that was killed.
    await Deno.mkdir(dataDir + "/layers/.tmp-killed/part", { recursive: true });
    await ensureVscodeLayer({ dataDir, install: () => Promise.resolve() });
    report([...Deno.readDirSync(dataDir + "/layers")].map(({ name }) => name));`,
    dir.path,
  );
  assert.equal(failure, "no network");
  assert.equal(left, 0);
  assert.equal(killed.length, 1);
  assert.match(killed[0], /^vscode-/);
});

Deno.test("a layer of another version goes when it was long unused", async () => {
  await using dir = await temporaryDataDir();
  for (const [name, days] of [["old", 30], ["new", 1]] as const) {
    const path = join(dir.path, "layers", `vscode-${name}`);
    await Deno.mkdir(path, { recursive: true });
    const then = Date.now() / 1000 - days * 24 * 3600;
    await Deno.utime(path, then, then);
  }
  await withoutShared(
    `await ensureVscodeLayer({ dataDir, install: () => Promise.resolve() });`,
    dir.path,
  );
  const left = names(join(dir.path, "layers")).map((name) => name.slice(0, 10));
  assert.equal(left.length, 2);
  assert(left.includes("vscode-new"), `${left}`);
});

Deno.test("the layer that setup built is everybody's, and holds what an editor needs", async () => {
  await using dir = await temporaryDataDir();
  assert.equal(await layersDirectory(dir.path), `${shared}/layers`);
  assert.equal((await vscodeLayerIsBuilt({ dataDir: dir.path })).built, true);
  const install = () => Promise.reject(new Error("it is there"));
  const layer = await ensureVscodeLayer({ dataDir: dir.path, install });
  const server = join(layer.path, "node_modules/code-server/lib/vscode");
  const [version] = await runChild([join(layer.path, "bin/node"), "--version"], {
    timeoutMs: 10_000,
  });
  assert.match(version, /^v24\./);
  // A native module that does not fit this Node would fail to load.
  const script = `require(${JSON.stringify(join(server, "node_modules/node-pty"))});` +
    `require(${JSON.stringify(join(server, "node_modules/@parcel/watcher"))}); console.log("fits")`;
  const [fits] = await runChild([join(layer.path, "bin/node"), "-e", script], {
    timeoutMs: 10_000,
  });
  assert.equal(fits, "fits");
  const workbench = join(server, "out/vs/code/browser/workbench/workbench.js");
  const packed = (await Deno.open(`${workbench}.gz`)).readable
    .pipeThrough(new DecompressionStream("gzip"));
  assert.deepEqual(await new Response(packed).bytes(), await Deno.readFile(workbench));
  for await (const { name } of Deno.readDir(join(server, "extensions"))) {
    assert(!/copilot/.test(name), name);
  }
});
