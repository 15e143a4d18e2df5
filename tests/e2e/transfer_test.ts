import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  repository,
  residentBytes,
  run,
  type RuntimeName,
  runWith,
  startServer,
  type TestServer,
  until,
} from "../harness.ts";

const MiB = 1024 * 1024;
const launcher = `${repository}/packages/cli/bin/paddock.mjs`;

// The sizes of the issue take minutes on a busy machine: PADDOCK_TEST_FILES=20000
// PADDOCK_TEST_MEGABYTES=1000 asks for them.
const sizes = {
  FILES: Deno.env.get("PADDOCK_TEST_FILES") ?? "2000",
  MEGABYTES: Deno.env.get("PADDOCK_TEST_MEGABYTES") ?? "100",
};

Deno.test("trees and large files go both ways, and what goes wrong is said", async (t) => {
  await using server = await startServer();
  const file = fileURLToPath(new URL("transfer.mjs", import.meta.url));
  for (const runtime of ["node24", "deno", "node20", "bun"] satisfies RuntimeName[]) {
    await t.step(runtime, async () => {
      const before = await residentBytes(server.pid);
      let peak = before;
      const watch = setInterval(async () => {
        peak = Math.max(peak, await residentBytes(server.pid).catch(() => 0));
      }, 250);
      // Once in full size is enough.
      const env = { ...server.env, ...sizes, ...(runtime === "node24" ? {} : { FILES: "300" }) };
      const result = await runWith(runtime, file, [], { env, deadlineMs: 600_000 });
      clearInterval(watch);
      assert.equal(result.code, 0, result.stderr);
      const seen = JSON.parse(result.stdout.trim().split("\n").at(-1)!);
      console.log(`    ${env.FILES} files, ${env.MEGABYTES} MB: ${JSON.stringify(seen)}`);
      // Garbage comes and goes (bench/ has the figure); a file that is kept would be here whole, twice.
      const most = Math.max(96, 0.1 * Number(env.MEGABYTES)) * MiB;
      assert.ok(peak - before < most, `the server grew by ${(peak - before) / MiB} MiB`);
      // Chunks wait for the collector; far less than a large file does.
      assert.ok(seen.clientGrowthMiB < 128, `the client grew by ${seen.clientGrowthMiB} MiB`);
    });
  }
});

interface Session {
  server: TestServer;
  id: string;
  folder: string;
  paddock(...args: string[]): ReturnType<typeof run>;
}

Deno.test("paddock cp", async (t) => {
  const folder = await mkdtemp("/tmp/paddock-cp-");
  await writeFile(`${folder}/config.json`, JSON.stringify({ limits: { diskBytes: 96 * MiB } }));
  try {
    await using server = await startServer({ args: ["--config", `${folder}/config.json`] });
    const paddock = (...args: string[]) => run("node", [launcher, ...args], { env: server.env });
    const created = await paddock("create", "-m", "256MiB");
    assert.equal(created.code, 0, created.stderr);
    const session: Session = { server, id: created.stdout.trim(), folder, paddock };
    await writeFile(`${folder}/large`, new Uint8Array(200 * MiB));
    await t.step("a tree of many files, there and back", () => manyFiles(session));
    await t.step("a bar on a terminal", () => progressBar(session));
    await t.step("a full disk is said, and leaves no part of a file", () => fullDisk(session));
    await t.step("an interrupt ends it, and leaves no part of a file", () => interrupted(session));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function manyFiles({ paddock, id, folder }: Session): Promise<void> {
  for (let i = 0; i < 400; i++) {
    await mkdir(`${folder}/many/${i % 20}`, { recursive: true });
    await writeFile(`${folder}/many/${i % 20}/${i}`, `${i}`);
  }
  await writeFile(`${folder}/many/line\nbreak`, "x");
  const up = await paddock("cp", "--json", `${folder}/many`, `${id}:many`);
  assert.equal(up.code, 0, up.stderr);
  assert.equal(JSON.parse(up.stdout).entries, 422);
  const down = await paddock("cp", "--json", `${id}:many`, `${folder}/back`);
  assert.equal(down.code, 0, down.stderr);
  assert.equal(JSON.parse(down.stdout).bytes, JSON.parse(up.stdout).bytes);
  const difference = await run("diff", ["-r", `${folder}/many`, `${folder}/back`]);
  assert.equal(difference.code, 0, difference.stdout);
}

/** `script` runs a command on a terminal of its own. */
async function progressBar({ server, id, folder }: Session): Promise<void> {
  for (const [from, to] of [[`${folder}/many`, `${id}:bar`], [`${id}:bar`, `${folder}/bar`]]) {
    const command = ["node", launcher, "cp", from, to].map((word) => `'${word}'`).join(" ");
    const shown = await run("script", ["-qec", command, "/dev/null"], { env: server.env });
    assert.equal(shown.code, 0, shown.stdout);
    assert.match(shown.stdout, /\[K(\[[#-]{20}\] )?copying/);
    assert.match(shown.stdout, /in 422 entries, /);
  }
}

async function fullDisk({ paddock, id, folder }: Session): Promise<void> {
  const full = await paddock("cp", `${folder}/large`, `${id}:large`);
  assert.equal(full.code, 1);
  assert.match(full.stderr, /No space left on device.*large/);
  const left = await paddock("exec", id, "--", "ls", "-A", "/home/sandbox");
  assert.deepEqual(left.stdout.split("\n").filter((name) => /large|paddock-/.test(name)), []);
  const again = await paddock("cp", `${folder}/many/0/0`, `${id}:small`);
  assert.equal(again.code, 0, again.stderr);
}

async function interrupted({ server, paddock, id, folder }: Session): Promise<void> {
  // All hole: large enough that no machine has it before the signal comes.
  const made = await paddock("exec", id, "--", "truncate", "-s", "8G", "source");
  assert.equal(made.code, 0, made.stderr);
  await mkdir(`${folder}/stopped`);
  const args = [launcher, "cp", `${id}:source`, `${folder}/stopped/whole`];
  const copy = new Deno.Command("node", { args, env: server.env, stderr: "piped" }).spawn();
  const part = await until(
    "a part of the file",
    30_000,
    async () => (await readdir(`${folder}/stopped`))[0],
  );
  assert.match(part, /^\.paddock-/);
  copy.kill("SIGINT");
  const { code, stderr } = await copy.output();
  const said = new TextDecoder().decode(stderr);
  assert.equal(code, 130, said);
  assert.match(said, /interrupted/);
  assert.deepEqual(await readdir(`${folder}/stopped`), []);
}
