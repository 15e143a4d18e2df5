import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { patience, type RunResult, type RuntimeName, runWith, startServer } from "../harness.ts";
import { clientPath, type ClientVersion, clientVersions, makeClientProject } from "./clients.ts";

interface Line {
  name?: string;
  ok?: boolean;
  detail?: string;
  methods?: string[];
  end?: boolean;
}

Deno.test("every RPC method of the published clients", async (t) => {
  // Some checks ask for servers that never start.
  await using server = await startServer({ env: { PADDOCK_LIMITS_GATEWAY_START_MS: "2000" } });
  const only = Deno.env.get("PADDOCK_TEST_CLIENTS");
  const pairs = clientVersions.flatMap((version) =>
    (["deno", "node24"] satisfies RuntimeName[]).map((runtime) => ({ version, runtime }))
  ).filter(({ version, runtime }) => only === undefined || only === `${version} on ${runtime}`);
  assert.ok(pairs.length > 0, `${only} is none of the published clients`);
  // A generation's two runtimes at the same time: much of a scenario is waiting.
  for (let at = 0; at < pairs.length; at += 2) {
    const running = pairs.slice(at, at + 2).map(({ version, runtime }) => ({
      ...{ version, runtime },
      outcome: runScenario(version, runtime, server.env),
    }));
    for (const { version, runtime, outcome } of running) {
      await t.step(`${version} on ${runtime}`, async (t) => judge(t, version, await outcome));
    }
  }
});

async function runScenario(
  version: ClientVersion,
  runtime: RuntimeName,
  env: Record<string, string>,
): Promise<RunResult> {
  const folder = await mkdtemp("/tmp/paddock-compat-");
  try {
    await makeClientProject(folder, version);
    const sources = fileURLToPath(new URL(".", import.meta.url));
    for (const name of await readdir(sources)) {
      if (name.startsWith("scenario")) await copyFile(`${sources}${name}`, `${folder}/${name}`);
    }
    return await runWith(runtime, `${folder}/scenario.mjs`, [], {
      cwd: folder,
      deadlineMs: 300_000,
      env: {
        ...env,
        TEST_CLIENT_GENERATION: version,
        TEST_CLIENT_CHECK_MS: `${60_000 * patience}`,
        TEST_CLIENT_ENTRY: `${clientPath(version)}/esm/mod.js`,
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function judge(
  t: Deno.TestContext,
  version: ClientVersion,
  result: RunResult,
): Promise<void> {
  const lines = result.stdout.split("\n").filter((line) => line.startsWith("@@"))
    .map((line): Line => JSON.parse(line.slice(2)));
  for (const line of lines) {
    if (line.name === undefined) continue;
    await t.step(line.name, () => assert.ok(line.ok, line.detail));
  }
  await t.step("the program ran to its end", () => {
    const seen = `${result.stderr.slice(-3000)}\n${result.stdout.slice(-1000)}`;
    assert.ok(lines.some((line) => line.end), seen);
    assert.equal(result.code, 0, seen);
    assert.ok(lines.length > 40, `only ${lines.length} checks`);
  });
  const parts = Deno.env.get("TEST_CLIENT_PARTS");
  const reason = parts === undefined ? "" : ` (skipped: only ${parts} were run)`;
  const everyMethod = async () => {
    const { sandboxServiceSchema } = await import(`file://${clientPath(version)}/esm/schema.js`);
    const sent = new Set(lines.find((line) => line.methods)?.methods);
    const missing = Object.keys(sandboxServiceSchema).filter((method) => !sent.has(method));
    assert.deepEqual(missing, []);
  };
  await t.step({
    name: `every method of its schema was called${reason}`,
    ignore: reason !== "",
    fn: everyMethod,
  });
}
