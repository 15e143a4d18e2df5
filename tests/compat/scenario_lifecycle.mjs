import assert from "node:assert/strict";

/** Creating, finding, extending and ending sandboxes, and what refuses to be created. */
export async function lifecycle(context) {
  const { client, Sandbox, check, isV2, create, connect, lifetime } = context;
  const { ConnectionEstablishmentError, InvalidTokenError } = client;
  const refused = (...statuses) => (error) => {
    assert.ok(error instanceof ConnectionEstablishmentError, String(error?.stack));
    assert.ok(statuses.includes(error.status), error.message);
    assert.ok(error.traceId, "the response has a trace id");
    return true;
  };
  const unknownId = isV2 ? crypto.randomUUID() : "sbx_ord_00000000000000000000";

  await check("a sandbox with a lifetime outlives its connection", async () => {
    const first = await create(lifetime("2m"));
    const { id } = first;
    if (!isV2) assert.match(id, /^sbx_[a-z]{3}_[0-9a-hjkmnp-z]{20}$/);
    await (isV2 ? first : first.fs).writeTextFile("kept", "yes");
    await first.close();
    const second = await connect(id);
    assert.equal(second.id ?? id, id);
    assert.equal(await second.sh`cat kept`.text(), "yes");
    const third = await connect(id);
    assert.equal(await third.sh`cat kept`.text(), "yes");
    await third.close();
    await second.kill();
    // Gone (410) says more than not found (404) while its record is kept.
    await assert.rejects(connect(id), refused(404, 410));
  });
  await check("a session sandbox ends with its connection", async () => {
    const sandbox = await create();
    const { id } = sandbox;
    await sandbox.close();
    await sandbox.closed;
    for (let tries = 0;; tries++) {
      const error = await connect(id).then((found) => found.close(), (reason) => reason);
      if (error) {
        refused(404, 410)(error);
        break;
      }
      assert.ok(tries < 50, "it still answers");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  await check("the lifetime ends a sandbox", async () => {
    // The client counts from before it asks.
    const started = Date.now();
    const sandbox = await create(lifetime("5s"));
    await sandbox.closed;
    const ms = Date.now() - started;
    assert.ok(ms > 4500 && ms < 15_000, `ended after ${ms} ms`);
    await assert.rejects(sandbox.sh`true`.text(), Error);
  });
  await check("env at create", async () => {
    const sandbox = await create({ env: { GIVEN: "at create" } });
    assert.equal(await sandbox.sh`echo $GIVEN`.text(), "at create\n");
    await sandbox.close();
  });
  await check("unknown sandbox: 404", async () => {
    await assert.rejects(connect(unknownId), refused(404));
  });
  await check("wrong token: InvalidTokenError", async () => {
    await assert.rejects(Sandbox.create({ token: "ddo_wrong" }), InvalidTokenError);
    const options = { token: "ddo_wrong" };
    const connecting = isV2
      ? Sandbox.connect({ id: unknownId, ...options })
      : Sandbox.connect(unknownId, options);
    await assert.rejects(connecting, InvalidTokenError);
  });
  await check("labels out of bounds: 400 with the field's name", async () => {
    const tooMany = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, "v"]));
    await assert.rejects(create({ labels: tooMany }), (error) => {
      refused(400)(error);
      assert.match(error.message, /labels/);
      return true;
    });
    await assert.rejects(create({ labels: { long: "v".repeat(5000) } }), refused(400));
  });
  if (isV2) {
    await check("memory out of bounds: 400 with the field's name", async () => {
      for (const memoryMb of [1, 10_000_000]) {
        await assert.rejects(create({ memoryMb }), (error) => {
          refused(400)(error);
          assert.match(error.message, /memory/);
          return true;
        });
      }
    });
  } else await extendAndList(context, refused);
}

async function extendAndList({ client, check, create, connect, lifetime }, refused) {
  await check("extendTimeout", async () => {
    const sandbox = await create(lifetime("1m"));
    const until = await sandbox.extendTimeout("5m");
    const seconds = (until.getTime() - Date.now()) / 1000;
    assert.ok(seconds > 60 && seconds <= 361, `extended to ${seconds} s from now`);
    await assert.rejects(sandbox.extendTimeout("45m"), /400/);
    await sandbox.kill();
    await assert.rejects(sandbox.extendTimeout("1m"), /404|410/);
    // A second kill finds nothing to do, and says so by succeeding: a retry must not fail.
    await sandbox.kill();
  });
  await check("a session sandbox cannot be extended, and says so", async () => {
    const sandbox = await create();
    await assert.rejects(sandbox.extendTimeout("1m"), /4\d\d/);
    await sandbox.close();
  });
  await check("list with labels", async () => {
    const mark = crypto.randomUUID();
    const one = await create({ labels: { mark, n: "1" } });
    const two = await create({ labels: { mark, n: "2" } });
    const api = new client.Client();
    const found = await api.sandboxes.list({ labels: { mark } });
    assert.deepEqual(found.map((item) => item.id).sort(), [one.id, two.id].sort());
    const [second] = await api.sandboxes.list({ labels: { mark, n: "2" } });
    assert.equal(second.id, two.id);
    assert.equal(second.status, "running");
    assert.ok(Math.abs(second.createdAt.getTime() - Date.now()) < 60_000);
    assert.equal(second.region, two.id.slice(4, 7));
    assert.deepEqual(await api.sandboxes.list({ labels: { mark: "none" } }), []);
    await one.close();
    await two.kill();
    const [ended] = await api.sandboxes.list({ labels: { mark, n: "2" } });
    if (ended) assert.ok(ended.stoppedAt instanceof Date && ended.status !== "running");
    const viaClient = await api.sandboxes.create(lifetime("30s"));
    const again = await api.sandboxes.connect({ id: viaClient.id })
      .catch(() => connect(viaClient.id));
    await again.kill();
  });
  await check("a second kill, a wrong id: 404 in words", async () => {
    await assert.rejects(connect("sbx_ord_zzzzzzzzzzzzzzzzzzzz"), refused(404));
  });
}
