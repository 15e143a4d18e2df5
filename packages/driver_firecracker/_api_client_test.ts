import { strict as assert } from "node:assert";
import { ApiClient, ApiError } from "./_api_client.ts";
import { scriptedApi } from "./_scripted_api.ts";

const instance = { id: "vm", state: "Running", vmm_version: "1.16.1", app_name: "Firecracker" };

Deno.test("api: requests say what Firecracker expects, one after the other on one connection", async () => {
  await using server = await scriptedApi(({ method }) =>
    method === "GET" ? { status: 200, body: JSON.stringify(instance) } : {}
  );
  using api = new ApiClient(server.socketPath);
  const { vmm_version, state } = await api.instance();
  assert.deepEqual([vmm_version, state], ["1.16.1", "Running"]);
  await Promise.all([
    api.drive({ drive_id: "disk", path_on_host: "/d", is_root_device: false, is_read_only: true }),
    api.vmState("Paused"),
    api.inflateBalloon(7),
    api.action("InstanceStart"),
  ]);
  await api.createSnapshot({ snapshot_type: "Diff", snapshot_path: "/s", mem_file_path: "/m" });
  assert.deepEqual(server.calls.map(({ method, path }) => `${method} ${path}`), [
    "GET /",
    "PUT /drives/disk",
    "PATCH /vm",
    "PATCH /balloon",
    "PUT /actions",
    "PUT /snapshot/create",
  ]);
  assert.deepEqual(server.calls.slice(1).map(({ body }) => body), [
    { drive_id: "disk", path_on_host: "/d", is_root_device: false, is_read_only: true },
    { state: "Paused" },
    { amount_mib: 7 },
    { action_type: "InstanceStart" },
    { snapshot_type: "Diff", snapshot_path: "/s", mem_file_path: "/m" },
  ]);
  assert.equal(server.connections(), 1);
});

Deno.test("api: a refusal carries Firecracker's own words, cut to a length", async () => {
  const words = `The balloon is not there. ${"x".repeat(5_000)}`;
  await using server = await scriptedApi(() => ({
    status: 400,
    body: JSON.stringify({ fault_message: words }),
  }));
  using api = new ApiClient(server.socketPath);
  await assert.rejects(api.inflateBalloon(1), (error: ApiError) => {
    assert.equal(error.status, 400);
    assert.match(error.message, /refused PATCH \/balloon: The balloon is not there/);
    assert.ok(error.message.length < 600);
    return true;
  });
});

Deno.test("api: an answer that is not understood, or too long, is an error", async () => {
  const answers = [
    "{",
    JSON.stringify({ ...instance, state: "Exploding" }),
    JSON.stringify({ ...instance, vmm_version: 17 }),
    JSON.stringify({ ...instance, more: "x".repeat(100_000) }),
  ];
  await using server = await scriptedApi(() => ({ status: 200, body: answers.shift() }));
  using api = new ApiClient(server.socketPath);
  for (const pattern of [/not understood/, /not understood/, /not understood/, /longer than/]) {
    await assert.rejects(api.instance(), pattern);
  }
  assert.equal(answers.length, 0);
});

Deno.test("api: silence ends with the deadline, and earlier with the caller's signal", async () => {
  await using server = await scriptedApi(() => ({ silent: true }));
  using api = new ApiClient(server.socketPath);
  const started = performance.now();
  await assert.rejects(api.instance({ deadlineMs: 60 }), (error: ApiError) => {
    assert.equal(error.status, undefined);
    assert.match(error.message, /did not answer GET \/ within 60 ms/);
    return true;
  });
  await assert.rejects(
    api.vmState("Paused", { signal: AbortSignal.timeout(60) }),
    { name: "TimeoutError" },
  );
  await assert.rejects(
    api.instance({ signal: AbortSignal.abort(new Error("no more")) }),
    /no more/,
  );
  assert.ok(performance.now() - started < 5_000);
});

Deno.test("api: a socket that nobody serves is an error at once", async () => {
  using api = new ApiClient("/no/such/api.socket");
  await assert.rejects(api.instance(), /did not reach Firecracker/);
});
