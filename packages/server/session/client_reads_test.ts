import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { ClientReads } from "./client_reads.ts";

const MiB = 1024 * 1024;

Deno.test("an accepted socket is read whole, whenever its memory comes back", async () => {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket]: Socket[] = await accepted as Socket[];

  const sent = createHash("sha256");
  const got = createHash("sha256");
  const buffers = new Set<ArrayBufferLike>();
  let chunks = 0;
  let largest = 0;
  let emitted = 0;
  const reads = new ClientReads((chunk, done) => {
    chunks++;
    largest = Math.max(largest, chunk.length);
    buffers.add(chunk.buffer);
    if (chunks % 3 === 0) {
      got.update(chunk);
      return true;
    }
    // As a socket that has not room for all of it: the memory is looked at once more, later.
    socket.pause();
    setTimeout(() => {
      got.update(chunk);
      done();
      socket.resume();
    }, chunks % 2);
    return false;
  });
  socket.on("data", () => emitted++);
  reads.attach(socket);
  socket.resume();
  const ended = once(socket, "end");
  for (let i = 0; i < 24; i++) {
    const bytes = crypto.getRandomValues(new Uint8Array(65536));
    const piece = new Uint8Array(MiB);
    for (let at = 0; at < MiB; at += bytes.length) piece.set(bytes, at);
    sent.update(piece);
    if (!client.write(piece)) await once(client, "drain");
    if (i % 8 === 7) reads.tick();
  }
  client.end();
  await ended;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(got.digest("hex"), sent.digest("hex"));
  assert.equal(emitted, 0, "Deno reads accepted sockets another way: ClientReads has no effect");
  assert.ok(largest > 64 * 1024, `the largest read brought ${largest} bytes`);
  assert.ok(buffers.size < chunks / 2, `${buffers.size} buffers for ${chunks} reads`);
  socket.destroy();
  server.close();
  await once(server, "close");
});
