import assert from "node:assert/strict";
import { EndedLogs } from "./_ended_logs.ts";

const KiB = 1024;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const limits = { logBytes: 8 * KiB, endedLogBytes: 16 * KiB, endedLogKeptMs: 60_000 };

async function directory(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-ended-logs-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const filesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

Deno.test("a log outlives its sandbox and the engine, and no one else reads its file", async () => {
  await using dir = await directory();
  const first = new EndedLogs(dir.path, limits, silent);
  await first.open();
  await first.keep("../acme~x", "sbx_1", "why\n");
  await first.keep("other", "sbx_2", "");
  first.close();
  const second = new EndedLogs(dir.path, limits, silent);
  await second.open();
  assert.equal(await second.read("sbx_1"), "why\n");
  assert.equal(await second.read("sbx_2"), "");
  assert.equal(await second.read("sbx_3"), undefined);
  second.close();
  const [file] = filesIn(dir.path);
  assert.equal(Deno.statSync(`${dir.path}/${file}`).mode! & 0o777, 0o600);
});

Deno.test("the newest of an organisation's logs are kept, and another's are left alone", async () => {
  await using dir = await directory();
  const logs = new EndedLogs(dir.path, limits, silent);
  await logs.open();
  await logs.keep("other", "sbx_0", "theirs");
  for (const id of ["sbx_1", "sbx_2", "sbx_3"]) {
    await logs.keep("acme", id, "x".repeat(100 * KiB) + id);
  }
  assert.equal(await logs.read("sbx_1"), undefined);
  assert.equal((await logs.read("sbx_2"))?.length, limits.logBytes);
  assert.match((await logs.read("sbx_3"))!, /xsbx_3$/);
  assert.equal(await logs.read("sbx_0"), "theirs");
  // Empty ones take room as well.
  for (let made = 10; made < 20; made++) await logs.keep("acme", `sbx_${made}`, "");
  assert.equal(filesIn(dir.path).length, 1 + 4);
  logs.close();
});

Deno.test("a log that is too old is not shown, and removed", async () => {
  await using dir = await directory();
  let now = Date.now();
  const logs = new EndedLogs(dir.path, limits, silent, () => now);
  await logs.open();
  await logs.keep("acme", "sbx_1", "old");
  now += limits.endedLogKeptMs + 1;
  assert.equal(await logs.read("sbx_1"), undefined);
  await logs.keep("acme", "sbx_2", "new");
  assert.equal(filesIn(dir.path).length, 1);
  assert.equal(await logs.read("sbx_2"), "new");
  logs.close();
});

Deno.test("a log that cannot be written is said in the daemon's log and hurts nothing", async () => {
  await using dir = await directory();
  const warned: string[] = [];
  const logs = new EndedLogs(`${dir.path}/logs`, limits, {
    ...silent,
    warn: (message) => void warned.push(message),
  });
  await logs.open();
  await Deno.remove(`${dir.path}/logs`);
  await logs.keep("acme", "sbx_1", "lost");
  assert.equal(warned.length, 1);
  assert.equal(await logs.read("sbx_1"), undefined);
  logs.close();
});
