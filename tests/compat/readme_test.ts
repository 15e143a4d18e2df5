import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  type RuntimeName,
  runtimes,
  startProgram,
  startServer,
  type TestServer,
} from "../harness.ts";
import { clientPath, type ClientVersion, clientVersions, makeClientProject } from "./clients.ts";
import { type ReadmeExample, readmeExamples } from "./readme_examples.ts";
import { type Expectation, expectations } from "./readme_expectations.ts";

const prepareModule = fileURLToPath(new URL("./prepare.mjs", import.meta.url));
const clientRuntimes: RuntimeName[] = ["deno", "node24"];

/** Some examples mostly wait: several run at the same time. */
const atOnce = 6;

interface Run {
  name: string;
  lastsMs: number;
  run: () => Promise<void>;
}

Deno.test("README examples of the published clients", async (t) => {
  await using server = await startServer();
  await using stack = new AsyncDisposableStack();
  const later = new Map<string, string>();
  const runs: Run[] = [];
  for (const version of clientVersions) {
    const examples = await readmeExamples(version);
    assert.ok(examples.length > 15, `README of ${version} has only ${examples.length} examples`);
    for (const [index, example] of examples.entries()) {
      const expectation = expectationOf(example, version);
      if (expectation.later) {
        const { issue, reason } = expectation.later;
        later.set(`${version}  ${example.heading}`, `issue ${issue}: ${reason}`);
      }
      for (const runtime of expectation.later ? [] : clientRuntimes) {
        runs.push({
          name: `${version} on ${runtime}: ${example.heading} #${example.number}`,
          lastsMs: expectation.lastsMs ?? 0,
          run: async () => {
            const folder = await mkdtemp(`/tmp/paddock-readme-${index}-`);
            stack.defer(() => rm(folder, { recursive: true, force: true }));
            await makeClientProject(folder, version);
            await prepareLocalFiles(folder, version);
            await runExample(folder, example, expectation, runtime, server);
          },
        });
      }
    }
  }
  const outcomes = await runAll(runs);
  for (const { name } of runs) {
    await t.step(name, () => {
      const error = outcomes.get(name);
      if (error) throw error;
    });
  }
  console.log("README examples left for later issues:");
  for (const [example, reason] of later) console.log(`  ${example}\n      ${reason}`);
});

/** By name: the error of a run that failed. */
async function runAll(runs: Run[]): Promise<Map<string, unknown>> {
  const errors = new Map<string, unknown>();
  const queue = runs.toSorted((a, b) => b.lastsMs - a.lastsMs).values();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (const { name, run } of queue) await run().catch((error) => errors.set(name, error));
  }));
  return errors;
}

function expectationOf(example: ReadmeExample, version: ClientVersion): Expectation {
  const found = expectations[`${example.heading} #${example.number}`] ??
    expectations[example.heading];
  assert.ok(found, `${version}: no expectation for "${example.heading}" #${example.number}`);
  return found;
}

async function prepareLocalFiles(folder: string, version: ClientVersion): Promise<void> {
  await copyFile(`${clientPath(version)}/README.md`, `${folder}/README.md`);
  await copyFile(prepareModule, `${folder}/prepare.mjs`);
  await mkdir(`${folder}/my-project/src`, { recursive: true });
  await writeFile(`${folder}/my-project/package.json`, "{}");
  await writeFile(`${folder}/my-project/src/main.ts`, "console.log(1);\n");
}

async function runExample(
  folder: string,
  example: ReadmeExample,
  expectation: Expectation,
  runtime: RuntimeName,
  server: TestServer,
): Promise<void> {
  const file = `${folder}/example.${example.language}`;
  await writeFile(file, example.code);
  const started = Date.now();
  const { command, args } = runtimes[runtime];
  const preload = runtime === "deno" ? "--preload" : "--import";
  const program = startProgram(command, [...args, preload, `${folder}/prepare.mjs`, file], {
    cwd: folder,
    env: { ...server.env, TEST_SANDBOX_FILES: JSON.stringify(expectation.prepare ?? {}) },
  });
  const { visit } = expectation;
  if (visit) {
    try {
      const match = await program.printed(visit.printed);
      await visit.by(match, { folder, ca: server.ca! });
    } finally {
      program.kill("SIGINT");
      await program.ended;
    }
    return;
  }
  const result = await program.ended;
  const seen = `code ${result.code}\n${result.stdout}\n--- stderr\n${result.stderr}`;
  assert.equal(result.code, 0, seen);
  assert.ok(Date.now() - started >= (expectation.lastsMs ?? 0), "it took its time");
  let rest = result.stdout;
  for (const wanted of expectation.output ?? []) {
    const at = typeof wanted === "string" ? rest.indexOf(wanted) : rest.search(wanted);
    assert.ok(at >= 0, `no ${wanted} in ${seen}`);
    rest = rest.slice(at);
  }
  if (expectation.file) {
    const { size } = await stat(`${folder}/${expectation.file.name}`);
    assert.equal(size, expectation.file.bytes, `size of ${expectation.file.name}`);
  }
}
