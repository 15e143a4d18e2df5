import { strict as assert } from "node:assert";
import { readManifest, takeFile, writeManifest } from "./_checkpoint_files.ts";

const signal = AbortSignal.timeout(30_000);

async function directory() {
  const path = await Deno.makeTempDir({ prefix: "paddock-checkpoint-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("checkpoint: what a VMM left is taken only when it is a plain file with one name", async () => {
  await using work = await directory();
  const at = (name: string) => `${work.path}/${name}`;
  await Deno.writeTextFile(at("secret"), "the host's");
  await Deno.symlink(at("secret"), at("symlink"));
  await Deno.writeTextFile(at("two"), "x");
  await Deno.link(at("two"), at("names"));
  await Deno.mkdir(at("folder"));
  for (const name of ["symlink", "two", "folder"]) {
    await assert.rejects(takeFile(at(name), at("taken"), signal), /no plain file/, name);
    await assert.rejects(Deno.lstat(at("taken")), Deno.errors.NotFound);
  }
  assert.equal(await Deno.readTextFile(at("secret")), "the host's");
});

Deno.test("checkpoint: the note is read as it was written, and nothing else is", async () => {
  await using work = await directory();
  const manifest = {
    driver: "firecracker" as const,
    version: "1.16.1",
    memoryBytes: 268_435_456,
    image: "abc",
  };
  await writeManifest(work.path, manifest);
  assert.deepEqual(await readManifest(work.path), manifest);
  for (
    const text of [
      "",
      "{}",
      JSON.stringify({ ...manifest, driver: "qemu" }),
      JSON.stringify({ ...manifest, memoryBytes: -1 }),
      JSON.stringify({ ...manifest, more: 1 }),
    ]
  ) {
    await Deno.writeTextFile(`${work.path}/manifest.json`, text);
    await assert.rejects(readManifest(work.path), { code: "RESTORE_FAILED" }, text);
  }
  await assert.rejects(readManifest(`${work.path}/none`), { code: "RESTORE_FAILED" });
});
