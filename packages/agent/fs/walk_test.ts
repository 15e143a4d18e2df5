import assert from "node:assert/strict";
import { expandGlob, type ExpandGlobOptions } from "./expand_glob.ts";
import { walk, type WalkOptions } from "./walk.ts";

/** A directory with some files, one of them in a directory whose name looks like a pattern. */
async function tree(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "paddock_walk_" });
  await Deno.mkdir(`${path}/src/deep/[id]`, { recursive: true });
  for (const name of ["a.ts", "b.js", ".hidden.ts", "deep/c.ts", "deep/[id]/page.ts"]) {
    await Deno.writeTextFile(`${path}/src/${name}`, "");
  }
  await Deno.symlink("deep", `${path}/src/link`);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function walked(root: string, location: string, options?: WalkOptions): Promise<string[]> {
  return (await Array.fromAsync(walk(root, location, options))).map(({ path }) => path).sort();
}

async function globbed(glob: string, home: string, options?: ExpandGlobOptions): Promise<string[]> {
  const found = await Array.fromAsync(expandGlob(glob, home, options));
  return found.map(({ path }) => path.slice(home.length + 1)).sort();
}

Deno.test("everything below a directory, named below what was asked for", async () => {
  await using dir = await tree();
  assert.deepEqual(await walked("src", `${dir.path}/src`), [
    "src",
    "src/.hidden.ts",
    "src/a.ts",
    "src/b.js",
    "src/deep",
    "src/deep/[id]",
    "src/deep/[id]/page.ts",
    "src/deep/c.ts",
    "src/link",
  ]);
});

Deno.test("what is walked can be chosen", async () => {
  await using dir = await tree();
  const at = `${dir.path}/src`;
  assert.deepEqual(await walked("s", at, { exts: ["js"] }), ["s/b.js"]);
  assert.deepEqual(await walked("s", at, { match: [/deep$/g] }), ["s/deep"]);
  assert.deepEqual(await walked("s", at, { maxDepth: 1, includeDirs: false, skip: [/\.ts$/] }), [
    "s/b.js",
    "s/link",
  ]);
  const followed = await walked("s", at, { followSymlinks: true, canonicalize: false });
  assert.ok(followed.includes("s/link/c.ts"), followed.join());
});

Deno.test("a circle of links comes to an end", async () => {
  await using dir = await tree();
  await Deno.symlink("..", `${dir.path}/src/deep/up`);
  await assert.rejects(
    () => walked("s", `${dir.path}/src`, { followSymlinks: true, canonicalize: false }),
    Deno.errors.FilesystemLoop,
  );
});

Deno.test("globs", async () => {
  await using dir = await tree();
  const all = (glob: string, options?: ExpandGlobOptions) => globbed(glob, dir.path, options);
  assert.deepEqual(await all("src/*.ts"), ["src/.hidden.ts", "src/a.ts"]);
  assert.deepEqual(await all("src/**/*.ts"), [
    "src/.hidden.ts",
    "src/a.ts",
    "src/deep/[id]/page.ts",
    "src/deep/c.ts",
  ]);
  assert.deepEqual(await all("./src/{a,b}.*"), ["src/a.ts", "src/b.js"]);
  assert.deepEqual(await all("src/A.TS", { caseInsensitive: true, root: dir.path }), []);
  assert.deepEqual(await all("src/[A].ts", { caseInsensitive: true }), ["src/a.ts"]);
  assert.deepEqual(await all("src/a.ts"), ["src/a.ts"]);
  assert.deepEqual(await all("src/*/"), ["src/deep"]);
  assert.deepEqual(await all("src/*", { includeDirs: false, exclude: ["src/*.ts"] }), [
    "src/b.js",
    "src/link",
  ]);
  assert.deepEqual(await all("src/**/*.ts", { exclude: ["src/deep"] }), [
    "src/.hidden.ts",
    "src/a.ts",
  ]);
  assert.deepEqual(await all("*.ts", { root: "src/deep/[id]" }), ["src/deep/[id]/page.ts"]);
  assert.deepEqual(await all("nothing/here/*"), []);
});
