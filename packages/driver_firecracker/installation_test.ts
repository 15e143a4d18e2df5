import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { fetchRelease } from "./fetch_release.ts";
import { findFirecracker, installFirecracker } from "./installation.ts";

// Programs that say a version and do nothing else stand in for Firecracker and its jailer here.

const signal = AbortSignal.timeout(60_000);

async function workspace() {
  const path = await Deno.makeTempDir({ prefix: "paddock-install-" });
  const program = async (name: string, says: string) => {
    await Deno.writeTextFile(`${path}/${name}`, `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
    return `${path}/${name}`;
  };
  return {
    path,
    program,
    dataDir: `${path}/data`,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

Deno.test("installation: both programs are looked at, copied and remembered with their digests", async () => {
  await using work = await workspace();
  const { dataDir } = work;
  assert.equal(await findFirecracker(dataDir), undefined);
  const firecracker = await work.program("fc", "Firecracker v1.16.1");
  const jailer = await work.program("jl", "Jailer v1.16.1");
  const installed = await installFirecracker({
    ...{ dataDir, firecracker, jailer, signal },
    source: "here",
  });
  assert.deepEqual(await findFirecracker(dataDir), installed);
  assert.equal(installed.version, "1.16.1");
  assert.equal(installed.firecracker, `${dataDir}/firecracker/firecracker`);
  const digest = createHash("sha256").update(await Deno.readFile(jailer)).digest("hex");
  assert.equal(installed.sha256.jailer, digest);

  // Another version takes its place, and nothing else stays there.
  const newer = await installFirecracker({
    firecracker: await work.program("fc", "Firecracker v1.17.0"),
    jailer: await work.program("jl", "Jailer v1.17.0"),
    ...{ dataDir, signal, source: "there" },
  });
  assert.equal(newer.version, "1.17.0");
  assert.deepEqual([...Deno.readDirSync(dataDir)].map(({ name }) => name), ["firecracker"]);
});

Deno.test("installation: what is not Firecracker, or not a version we speak, changes nothing", async () => {
  await using work = await workspace();
  const { dataDir, program } = work;
  const good = await program("good", "Firecracker v1.16.1");
  const jailer = await program("jl", "Jailer v1.16.1");
  const kept = await installFirecracker({
    ...{ dataDir, firecracker: good, jailer, signal },
    source: "kept",
  });
  await Deno.writeTextFile(`${work.path}/text`, "no program");
  const cases: [string, string, RegExp][] = [
    ["/no/such/file", jailer, /\/no\/such\/file cannot be read/],
    [work.path, jailer, /not a file/],
    [`${work.path}/text`, jailer, /does not run|is not Firecracker/],
    [jailer, jailer, /is not Firecracker/],
    [
      await program("old", "Firecracker v1.14.0"),
      await program("oldj", "Jailer v1.14.0"),
      /1\.15\.0/,
    ],
    [await program("two", "Firecracker v2.0.0"), await program("twoj", "Jailer v2.0.0"), /2\.0\.0/],
    [good, await program("other", "Jailer v1.16.0"), /both must be of one version/],
  ];
  for (const [firecracker, jailer, why] of cases) {
    await assert.rejects(
      installFirecracker({ dataDir, firecracker, jailer, signal, source: "bad" }),
      why,
    );
    assert.deepEqual(await findFirecracker(dataDir), kept);
    assert.deepEqual([...Deno.readDirSync(dataDir)].map(({ name }) => name), ["firecracker"]);
  }
});

/** Serves a release as the project lays them out, on this machine. */
async function releaseServer(work: Awaited<ReturnType<typeof workspace>>, version = "1.16.1") {
  const folder = `release-v${version}-x86_64`;
  await Deno.mkdir(`${work.path}/${folder}`);
  await work.program(`${folder}/firecracker-v${version}-x86_64`, `Firecracker v${version}`);
  await work.program(`${folder}/jailer-v${version}-x86_64`, `Jailer v${version}`);
  const name = `firecracker-v${version}-x86_64.tgz`;
  const packed = await new Deno.Command("tar", {
    args: ["-czf", name, folder],
    cwd: work.path,
  }).output();
  assert.ok(packed.success);
  const archive = await Deno.readFile(`${work.path}/${name}`);
  const digest = createHash("sha256").update(archive).digest("hex");
  const files = new Map<string, Uint8Array | string>([
    [`/r/v${version}/${name}`, archive],
    [`/r/v${version}/${name}.sha256.txt`, `${digest}  ${name}\n`],
  ]);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const file = files.get(new URL(request.url).pathname);
    return file === undefined
      ? new Response("none", { status: 404 })
      : new Response(file as BodyInit);
  });
  const from = `http://127.0.0.1:${server.addr.port}/r/`;
  return { files, from, digest, name, version, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("fetch: a release is downloaded, compared with its checksum and installed", async () => {
  await using work = await workspace();
  await using server = await releaseServer(work);
  const { dataDir } = work;
  let last = 0;
  const installed = await fetchRelease({
    ...{ dataDir, from: server.from, signal },
    onProgress: (bytes) => last = bytes,
  });
  assert.equal(installed.version, "1.16.1");
  assert.match(installed.source, new RegExp(`127\\.0\\.0\\.1.*${server.digest}`));
  assert.ok(last > 0);
  const { from } = server;
  await fetchRelease({ dataDir, from, signal, sha256: server.digest.toUpperCase() });
});

Deno.test("fetch: a wrong checksum, a missing release and an unreachable place install nothing", async () => {
  await using work = await workspace();
  await using server = await releaseServer(work);
  const { dataDir } = work;
  const { from, files, name } = server;
  const fails = async (options: Partial<Parameters<typeof fetchRelease>[0]>, why: RegExp) => {
    await assert.rejects(fetchRelease({ dataDir, from, signal, ...options }), why);
    assert.equal(await findFirecracker(dataDir), undefined);
    assert.deepEqual([...Deno.readDirSync(dataDir)], []);
  };
  const checksum = `/r/v1.16.1/${name}.sha256.txt`;
  await fails({ sha256: "0".repeat(64) }, /has the SHA-256 [0-9a-f]{64} and not 0{64}/);
  await fails({ sha256: "abc" }, /64 hexadecimal digits/);
  await fails({ version: "1.16.9" }, /answered 404/);
  await assert.rejects(fetchRelease({ dataDir, from, signal, version: "../x" }), /is no version/);
  files.set(checksum, `${"1".repeat(64)}  ${name}\n`);
  await fails({}, /and not 1{64}/);
  files.set(checksum, `${server.digest}  another.tgz\n`);
  await fails({}, /of another file/);
  files.set(checksum, "x".repeat(100_000));
  await fails({}, /larger than 4096 bytes/);
  files.delete(checksum);
  await fails({}, /sha256\.txt answered 404/);
  await fails({ from: "http://127.0.0.1:9/none" }, /cannot be reached .*--binary and --jailer/);
  // An archive that has its checksum and lacks the programs.
  files.set(`/r/v1.16.1/${name}`, "not an archive");
  const digest = createHash("sha256").update("not an archive").digest("hex");
  await fails({ sha256: digest }, /the archive has no release-v1\.16\.1/);
});
