import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runWith, startServer } from "../harness.ts";
import { clientPath, type ClientVersion, makeClientProject } from "./clients.ts";

interface Line {
  name?: string;
  ok?: boolean;
  detail?: string;
  end?: boolean;
}

const versions: ClientVersion[] = ["0.10.0", "0.13.2"];
const pair: RuntimeName[] = ["deno", "node24"];

Deno.test("volumes and snapshots by the published clients", async (t) => {
  await using server = await startServer();
  const scenario = fileURLToPath(new URL("storage_scenario.mjs", import.meta.url));
  for (const version of versions) {
    // A generation's two runtimes at the same time: much of a scenario is waiting.
    const outcomes = await Promise.all(pair.map(async (runtime) => {
      const folder = await mkdtemp("/tmp/paddock-storage-");
      try {
        await makeClientProject(folder, version);
        await copyFile(scenario, `${folder}/scenario.mjs`);
        return await runWith(runtime, `${folder}/scenario.mjs`, [], {
          ...{ cwd: folder, env: server.env, deadlineMs: 240_000 },
        });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }));
    for (const [index, runtime] of pair.entries()) {
      const { code, stdout, stderr } = outcomes[index];
      const lines = stdout.split("\n").filter((line) => line.startsWith("@@"))
        .map((line): Line => JSON.parse(line.slice(2)));
      for (const { name, ok, detail } of lines) {
        if (name) await t.step(`${version} on ${runtime}: ${name}`, () => assert.ok(ok, detail));
      }
      await t.step(`${version} on ${runtime}: the program ran to its end`, () => {
        assert.equal(code, 0, `${stderr}\n${stdout}`);
        assert.equal(lines.length, 7, stdout);
      });
    }
  }
});

/** Where the published clients say how volumes and snapshots are used: no README of theirs does. */
const files = ["volume.d.ts", "snapshot.d.ts", "sandbox.d.ts"];
const about = /\bVolume\b|\bSnapshot\b|root: "|volumes: \{/;

/** By what makes an example the one it is, in the order they are run: what it prints. */
const expected: [part: string, output: RegExp][] = [
  ["Volume.create(", /^vol_ord_[0-9a-z]{20}$/m],
  ["Volume.get(", /^Volume capacity: 10000000000 bytes$/m],
  ["Snapshot.create(", /^snp_ord_[0-9a-z]{20}$/m],
  ["Snapshot.get(", /^Snapshot flattened size: \d{5,} bytes$/m],
  ['"/data/volume1": "volume-slug-or-id-1"', /^$/],
  ['root: "volume-slug-or-id"', /^$/],
];

/** Every example about storage in the comments of the installed client, as it stands there. */
async function storageExamples(version: ClientVersion): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(`${clientPath(version)}/esm/${file}`, "utf8");
    for (const [, block] of text.matchAll(/^ *\* ```ts\n((?: *\*.*\n)*?) *\* ```$/gm)) {
      const code = block.replaceAll(/^ *\* ?/gm, "");
      if (about.test(code)) found.push(code);
    }
  }
  return found;
}

Deno.test("examples of volumes and snapshots of the published clients", async (t) => {
  await using server = await startServer();
  for (const version of versions) {
    const examples = await storageExamples(version);
    assert.equal(examples.length, expected.length, examples.join("\n---\n"));
    for (const runtime of pair) {
      // Of its own, because the examples give fixed names.
      const token = await server.createToken(`${runtime}-${version.replaceAll(".", "-")}`);
      const env = { ...server.env, DENO_DEPLOY_TOKEN: token };
      const folder = await mkdtemp("/tmp/paddock-storage-");
      try {
        await makeClientProject(folder, version);
        const run = async (code: string) => {
          await writeFile(`${folder}/example.ts`, code);
          const result = await runWith(runtime, `${folder}/example.ts`, [], { cwd: folder, env });
          assert.equal(result.code, 0, `${code}\n${result.stdout}\n${result.stderr}`);
          return result.stdout;
        };
        for (const [part, output] of expected) {
          await t.step(`${version} on ${runtime}: ${part}`, async () => {
            const code = examples.find((example) => example.includes(part));
            assert.ok(code, `no example has ${part}`);
            // Those of `Sandbox.create` stand inside its options, so they import nothing.
            const imported = /^import /m.test(code)
              ? code
              : `import { Sandbox } from "@deno/sandbox";\n${code}`;
            if (part.includes("slug-or-id")) await run(makeNamed);
            assert.match(await run(imported), output);
          });
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }
});

/** The volumes that two of the examples take for granted. */
const makeNamed = `
import { Client } from "@deno/sandbox";
const { volumes } = new Client();
for (const [slug, from] of [["volume-slug-or-id", "builtin:debian-13"], ["volume-slug-or-id-1"], ["volume-slug-or-id-2"]]) {
  if (!await volumes.get(slug)) await volumes.create({ slug, region: "ord", capacity: "2GB", from });
}
`;
