import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import ssh2 from "ssh2";
import { run, type SshBench, startSshBench, until } from "./ssh_bench.ts";

const MiB = 1024 * 1024;

/** ssh2's client, with the parts that it does not offer: they break the rules. */
interface RawClient {
  _protocol: {
    _packetRW: unknown;
    _kexinit?: unknown;
    session(channel: number, window: number, packet: number): void;
    exec(channel: number, command: string, wantReply: boolean): void;
    channelData(channel: number, data: Uint8Array): void;
    channelEOF(channel: number): void;
    channelClose(channel: number): void;
    ping(): void;
    rekey(): void;
    _handlers: Record<string, (protocol: unknown, ...args: never[]) => void>;
  };
  _sock: Socket;
  end(): void;
  on(event: string, listener: (...args: never[]) => void): void;
  once(event: string, listener: (...args: never[]) => void): void;
}

Deno.test("clients that do not keep to the rules of SSH", async (t) => {
  await using bench = await startSshBench({
    sshHandshakeMs: 1_500,
    sshHandshakes: 40,
    sshKeepaliveMs: 2_000,
  });
  const { ssh, port } = bench;
  const works = async () => assert.equal((await ssh("echo ok")).stdout, "ok\n");

  await t.step("connections that say nothing, garbage, or half of it", async () => {
    const openings: (string | Uint8Array)[] = [
      "",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "SSH-1.5-old\r\n",
      "SSH-2.0-half",
      "SSH-2.0-x\r\n",
      "SSH-2.0-x\r\n" + "A".repeat(100_000),
      crypto.getRandomValues(new Uint8Array(60_000)),
      // A packet that claims to be 4 GB, one of no length, and one that is all padding.
      new Uint8Array([...ident, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
      new Uint8Array([...ident, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      new Uint8Array([...ident, 0, 0, 0, 12, 255, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      // An exchange of keys that names no algorithms.
      new Uint8Array([...ident, 0, 0, 0, 28, 4, 20, ...Array(26).fill(0)]),
    ];
    for (const opening of openings) {
      const socket = await dial(port);
      socket.write(opening);
      await closed(socket);
      await works();
    }
  });

  await t.step("a flood of them leaves room, and is over when its time is", async () => {
    const flood = await Promise.all(Array.from({ length: 150 }, () => dial(port)));
    // One address has its share; those who came too late know at once.
    const turnedAway = flood.filter((socket) => socket.closed).length;
    await until(() => flood.every((socket) => socket.closed));
    assert.ok(turnedAway < 150);
    await works();
  });

  await t.step("exchanges of keys by the dozen, cut off in the middle", async () => {
    for (let i = 0; i < 40; i++) {
      const client = new ssh2.Client() as unknown as RawClient;
      client.on("error", () => {});
      (client as unknown as ssh2.Client).connect({ host: "127.0.0.1", port, username: "x" });
      await new Promise((resolve) => setTimeout(resolve, i));
      client._sock.destroy();
    }
    await until(async () => (await ssh("echo ok")).stdout === "ok\n");
  });

  await t.step("data behind the end of a channel", async () => {
    const client = await enter(bench);
    const channel = await session(client, "cat");
    client._protocol.channelEOF(channel);
    client._protocol.channelData(channel, Buffer.from("more"));
    client._protocol.channelEOF(channel);
    client._protocol.channelData(99, Buffer.from("to nobody"));
    client._protocol.channelClose(channel);
    client._protocol.channelData(channel, Buffer.from("still"));
    client._protocol.channelClose(channel);
    await works();
    client.end();
  });

  await t.step("a channel that takes packets of no bytes", async () => {
    const client = await enter(bench);
    const over = closed(client._sock);
    client._protocol.session(0, 1000, 0);
    client._protocol.exec(0, "yes", false);
    await over;
    await works();
  });

  await t.step("more data than the window allows", async () => {
    const client = await enter(bench);
    const channel = await session(client, "sleep 60");
    const before = Deno.memoryUsage().rss;
    const over = closed(client._sock);
    // Not a part of the window: ssh2 looks whether nothing is left of it, and not below.
    const data = Buffer.alloc(30_000);
    for (let sent = 0; sent < 64 * MiB && !client._sock.destroyed; sent += data.length) {
      client._protocol.channelData(channel, data);
      if (client._sock.writableLength > MiB) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await over;
    assert.ok(Deno.memoryUsage().rss - before < 120 * MiB);
    await works();
  });

  await t.step("a window without an end, and nobody who reads", async () => {
    const client = await enter(bench);
    const opened = session(client, "yes | head -c 400M", 0xffff_ffff);
    await opened;
    client._sock.pause();
    const before = Deno.memoryUsage().rss;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.ok(Deno.memoryUsage().rss - before < 120 * MiB);
    await works();
    client._sock.destroy();
  });

  await t.step("an exchange of keys that is begun and not finished, under load", async () => {
    const client = await enter(bench);
    await session(client, "yes | head -c 400M", 0xffff_ffff);
    const before = Deno.memoryUsage().rss;
    // From here on the client hears nothing, and so says nothing more than that it would like new keys.
    client._sock.removeAllListeners("data");
    client._sock.on("data", () => {});
    client._protocol.rekey();
    await closed(client._sock);
    assert.ok(Deno.memoryUsage().rss - before < 120 * MiB);
    await works();
  });

  await t.step("questions by the hundred thousand, and nobody who reads the answers", async () => {
    const before = Deno.memoryUsage().rss;
    // In a process of its own, for what it holds would be taken for the gateway's.
    const { stdout, stderr } = await run(Deno.execPath(), [
      ...["run", "-A", "--no-check", new URL("asking_client.ts", import.meta.url).pathname],
      ...[String(port), bench.user],
    ]);
    assert.match(stdout, /^held up after \d+\n$/, stderr);
    const grown = Deno.memoryUsage().rss - before;
    assert.ok(grown < 100 * MiB, `${grown / MiB} MiB`);
    await works();
  });

  await t.step("sessions by the thousand", async () => {
    const client = await enter(bench);
    let opened = 0;
    let refused = 0;
    let closedByServer = 0;
    const handlers = client._protocol._handlers;
    handlers.CHANNEL_OPEN_CONFIRMATION = () => opened++;
    handlers.CHANNEL_OPEN_FAILURE = () => refused++;
    handlers.CHANNEL_CLOSE = () => closedByServer++;
    for (let i = 0; i < 2_000; i++) client._protocol.session(i, 1000, 32_768);
    await until(() => opened + refused === 2_000);
    assert.deepEqual([opened, refused], [10, 1_990]);
    // Those that are closed before anything ran in them are gone, and make room.
    for (let i = 0; i < 10; i++) client._protocol.channelClose(i);
    await until(() => closedByServer === 10);
    for (let i = 0; i < 10; i++) client._protocol.session(i, 1000, 32_768);
    await until(() => opened === 20);
    client.end();
    await works();
  });

  await t.step("a peer that is dead is noticed", async () => {
    const client = await enter(bench);
    await session(client, "sleep 3333");
    await until(async () => (await ssh("pgrep -c -f 'sleep 333[3]'")).stdout === "1\n");
    // Alive to the kernel, silent to SSH.
    client._sock.removeAllListeners("data");
    client._sock.on("data", () => {});
    await closed(client._sock);
    await until(async () => (await ssh("pgrep -c -f 'sleep 333[3]'")).stdout === "0\n");
  });

  assert.deepEqual(bench.logged, []);
});

const ident = new TextEncoder().encode("SSH-2.0-x\r\n");

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port }, () => resolve(socket));
    socket.on("error", (error) => reject(error));
    socket.resume();
  });
}

/** Settles when the other side has ended the connection; late ones fail the test. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the connection is still open")), 30_000);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("end", () => socket.destroy());
  });
}

async function enter({ port, user }: SshBench): Promise<RawClient> {
  const client = new ssh2.Client();
  client.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve);
    client.once("error", reject);
    client.connect({ host: "127.0.0.1", port, username: user, keepaliveInterval: 0 });
  });
  return client as unknown as RawClient;
}

/** Opens a session with a command behind ssh2's back; it is channel 0 on both sides. */
async function session(client: RawClient, command: string, window = 2 * MiB): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  client._protocol._handlers.CHANNEL_OPEN_CONFIRMATION = () => resolve();
  client._protocol.session(0, window, 32_768);
  await promise;
  client._protocol.exec(0, command, false);
  return 0;
}
