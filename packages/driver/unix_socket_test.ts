import { strict as assert } from "node:assert";
import { once } from "node:events";
import { UnixListener, UnixSocket } from "./unix_socket.ts";

/** A path to listen at, removed with what is around it. */
async function socketPath() {
  const directory = await Deno.makeTempDir({ prefix: "paddock-unix-" });
  return {
    path: `${directory}/socket`,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

async function all(socket: UnixSocket): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

Deno.test("bytes go both ways, and an end is heard", async () => {
  await using place = await socketPath();
  const { promise: came, resolve } = Promise.withResolvers<UnixSocket>();
  using _listener = new UnixListener(place.path, resolve);
  const client = await UnixSocket.connect(place.path);
  const server = await came;
  const large = "x".repeat(1_000_000);
  server.end(large);
  assert.equal(await all(client), large);
  client.on("error", () => {});
  const closed = once(server, "close");
  client.destroy();
  server.resume();
  await closed;
  assert.ok(client.destroyed && server.destroyed);
});

Deno.test("who does not read is not sent more than is kept for him", async () => {
  await using place = await socketPath();
  const { promise: came, resolve } = Promise.withResolvers<UnixSocket>();
  using _listener = new UnixListener(place.path, resolve);
  const client = await UnixSocket.connect(place.path);
  const server = await came;
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const wait = () => new Promise<string>((resolve) => setTimeout(() => resolve("stuck"), 200));
  for (let stuck = false; !stuck && sent < 1_000;) {
    sent++;
    if (client.write(chunk)) continue;
    stuck = await Promise.race([once(client, "drain"), wait()]) === "stuck";
  }
  assert.ok(sent < 100, `${sent} chunks went to nobody`);
  let received = 0;
  server.on("data", (data: Uint8Array) => received += data.length);
  client.end();
  await once(server, "end");
  assert.equal(received, sent * chunk.length);
  if (!server.destroyed) await once(server, "close");
});

Deno.test("a path that nobody listens at is refused", async () => {
  await using place = await socketPath();
  await assert.rejects(UnixSocket.connect(place.path), Deno.errors.NotFound);
});

Deno.test("the other side's end in the middle is no more than a close", async () => {
  await using place = await socketPath();
  const { promise: came, resolve } = Promise.withResolvers<UnixSocket>();
  using _listener = new UnixListener(place.path, resolve);
  const client = await UnixSocket.connect(place.path);
  client.on("error", () => {});
  client.resume();
  const closed = once(client, "close");
  (await came).destroy();
  await closed;
  assert.equal(client.write("too late"), false);
});
