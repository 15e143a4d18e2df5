import { strict as assert } from "node:assert";
import { QmpClient, QmpError, type QmpEvent } from "./qmp_client.ts";

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

/** A QEMU that answers by a script: a function of each command gives the lines it says. */
function scripted(answer: (command: { execute: string; id: number }) => string[]) {
  const toClient = new TransformStream<Uint8Array, Uint8Array>();
  const toQemu = new TransformStream<Uint8Array, Uint8Array>();
  const writer = toClient.writable.getWriter();
  const say = (text: string) => writer.write(new TextEncoder().encode(text)).catch(() => {});
  const heard: string[] = [];
  (async () => {
    for await (const text of toQemu.readable.pipeThrough(new TextDecoderStream() as never)) {
      for (const line of String(text).split("\n").filter(Boolean)) {
        heard.push(line);
        for (const said of answer(JSON.parse(line))) say(said);
      }
    }
  })().catch(() => {});
  const events: QmpEvent[] = [];
  const client = new QmpClient(toClient.readable, toQemu.writable, (event) => events.push(event));
  return { client, say, heard, events, close: () => writer.close().catch(() => {}) };
}

const ok = ({ id }: { id: number }) => [`{"return": {}, "id": ${id}}\r\n`];

Deno.test("qmp: greets, executes, gives events, whatever the pieces they come in", async () => {
  const qemu = scripted(({ execute, id }) =>
    execute === "query-status"
      ? [
        '{"event": "STOP", "data": {}}\r\n{"return": {"status": "pau',
        `sed", "running": false}, "id": ${id}}\r\n`,
      ]
      : ok({ id })
  );
  qemu.say(GREETING.slice(0, 10));
  qemu.say(GREETING.slice(10));
  await qemu.client.open();
  const status = await qemu.client.execute("query-status", undefined);
  assert.deepEqual(status, { status: "paused", running: false });
  assert.deepEqual(qemu.events.map(({ event }) => event), ["STOP"]);
  await qemu.client.execute("balloon", { value: 5 });
  assert.deepEqual(JSON.parse(qemu.heard.at(-1)!).arguments, { value: 5 });
  qemu.close();
});

Deno.test("qmp: answers find their command, in any order", async () => {
  const pending: number[] = [];
  const qemu = scripted(({ execute, id }) => {
    if (execute === "qmp_capabilities") return ok({ id });
    pending.push(id);
    return pending.length < 2 ? [] : pending.reverse().flatMap((id) => [
      `{"return": {"status": "of ${id}", "running": true}, "id": ${id}}\n`,
    ]);
  });
  qemu.say(GREETING);
  await qemu.client.open();
  const [one, two] = await Promise.all([
    qemu.client.execute("query-status", undefined),
    qemu.client.execute("query-status", undefined),
  ]);
  assert.notEqual(one.status, two.status);
  assert.ok(one.status < two.status);
  qemu.close();
});

Deno.test("qmp: a refusal, silence, an abort and an end are errors of the command", async () => {
  const qemu = scripted(({ execute, id }) => {
    if (execute === "stop") return [`{"error": {"class": "X", "desc": "no"}, "id": ${id}}\n`];
    return execute === "qmp_capabilities" ? ok({ id }) : [];
  });
  qemu.say(GREETING);
  await qemu.client.open();
  await assert.rejects(qemu.client.execute("stop", undefined), (error: Error) => {
    assert.ok(error instanceof QmpError);
    assert.match(error.message, /stop: no/);
    return true;
  });
  await assert.rejects(
    qemu.client.execute("cont", undefined, { deadlineMs: 20 }),
    /did not answer cont within 20 ms/,
  );
  const stop = new AbortController();
  const aborted = qemu.client.execute("cont", undefined, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const cut = qemu.client.execute("cont", undefined);
  qemu.close();
  await assert.rejects(cut, /closed its control connection/);
  await assert.rejects(qemu.client.execute("cont", undefined), /closed its control connection/);
});

Deno.test("qmp: what is no message ends the connection", async () => {
  for (const nonsense of ["not json\n", "7\n", "x".repeat(300_000)]) {
    const qemu = scripted(ok);
    qemu.say(GREETING);
    await qemu.client.open();
    qemu.say(nonsense);
    await assert.rejects(
      qemu.client.execute("query-status", undefined, { deadlineMs: 5_000 })
        .then(() => qemu.client.execute("query-status", undefined)),
    );
    qemu.close();
  }
});
