import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { Sandbox } from "@paddock/sandbox";
import WebSocket from "ws";
import { run, startServer, type TestServer, until } from "../harness.ts";
import { guestServer, LOOPBACK_PORT, OPEN_PORT } from "./guest_server.ts";

const MiB = 1 << 20;

/** curl, with names below the base domain led here and the server's authority trusted. */
async function curl(server: TestServer, ...args: string[]): Promise<string> {
  const { port } = new URL(server.ingress!);
  const result = await run("curl", [
    ...["--silent", "--show-error", "--max-time", "60", "--cacert", server.ca!],
    ...["--resolve", `*:${port}:127.0.0.1`, ...args],
  ]);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

Deno.test("real clients at a preview URL", async (t) => {
  await using server = await startServer();
  await using sandbox = await Sandbox.create({
    ...{ endpoint: server.api, token: server.token, timeout: "10m" },
  });
  const program = await sandbox.createJsRuntime({ code: guestServer, stderr: "null" });
  assert.equal(await program.httpReady, true);
  const open = await sandbox.exposeHttp({ port: OPEN_PORT });
  const loopback = await sandbox.exposeHttp({ port: LOOPBACK_PORT });
  const ca = await readFile(server.ca!, "utf8");

  for (const [where, url] of [["an open port", open], ["a loopback port", loopback]]) {
    for (const version of ["--http1.1", "--http2"]) {
      await t.step(`curl ${version}, ${where}`, async () => {
        const echo = JSON.parse(await curl(server, version, `${url}/echo?a=b`));
        assert.equal(echo.url, `http://${new URL(url).host}/echo?a=b`);
        assert.equal(echo.headers["x-forwarded-for"], "127.0.0.1");
        assert.equal(echo.headers["x-forwarded-proto"], "https");
        assert.equal(echo.headers["x-forwarded-host"], new URL(url).host);
        const head = await curl(server, version, "--head", `${url}/file`);
        assert.match(head, new RegExp(`^content-length: ${8 * MiB}\r$`, "mi"));
        const part = await curl(server, version, "-i", "-r", "1-3", `${url}/range`);
        assert.match(part, /^HTTP\/[12.]+ 206.*content-range: bytes 1-3\/10.*\r\n\r\n123$/si);
        assert.match(await curl(server, version, "-i", `${url}/nothing`), /^HTTP\/[12.]+ 204/);
        const events = await curl(server, version, "--no-buffer", `${url}/events`);
        assert.equal(events, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
      });

      await t.step(`curl ${version} sends and gets megabytes, ${where}`, async () => {
        const file = `${server.dataDir}/upload.bin`;
        const content = randomBytes(8 * MiB);
        await writeFile(file, content);
        const digest = createHash("sha256").update(content).digest("hex");
        const post = (...args: string[]) => curl(server, version, ...args, `${url}/digest`);
        assert.equal(await post("--data-binary", `@${file}`), digest);
        if (version === "--http1.1") {
          const chunked = await post(
            "-H",
            "transfer-encoding: chunked",
            "--data-binary",
            `@${file}`,
          );
          assert.equal(chunked, digest);
        }
        const echoed = `${server.dataDir}/echoed.bin`;
        await curl(server, version, "--data-binary", `@${file}`, "-o", echoed, `${url}/mirror`);
        assert.ok(content.equals(await readFile(echoed)));
        await rm(echoed);
      });
    }
  }

  await t.step("Node's client of HTTP/2 has many requests on one connection", async () => {
    const { host, port } = new URL(open);
    const session = connectHttp2(open, { ca, servername: host.split(":")[0], port: Number(port) });
    const ask = async (path: string) => {
      const stream = session.request({ ":path": path, ":authority": host });
      let text = "";
      for await (const chunk of stream) text += chunk;
      return text;
    };
    const paths = Array.from({ length: 40 }, (_, i) => `/echo?${i}`);
    const answers = await Promise.all(paths.map(ask));
    assert.deepEqual(
      answers.map((answer) => new URL(JSON.parse(answer).url).search),
      paths.map((path) => new URL(path, open).search),
    );
    session.destroy();
  });

  await t.step("WebSockets", async () => {
    for (const url of [open, loopback]) {
      const socket = new WebSocket(`${url.replace("https", "wss")}/socket`, { ca });
      await once(socket, "open");
      const big = randomBytes(MiB);
      for (const message of ["hello", big]) {
        const echoed = once(socket, "message");
        socket.send(message);
        assert.ok(Buffer.from(message as string).equals((await echoed)[0] as Buffer));
      }
      const closed = once(socket, "close");
      socket.close(4000);
      assert.equal((await closed)[0], 4000);
    }
  });

  await t.step("a page for a browser, JSON for a program, when nothing listens", async () => {
    const url = await sandbox.exposeHttp({ port: 4999 });
    await until("the answer", 60_000, async () => {
      const text = await curl(server, "-i", url);
      if (!/^HTTP\/2 502/.test(text)) return false;
      assert.match(text, /"code":"PORT_NOT_LISTENING","message":"[^"]*port 4999/);
      return true;
    });
    const page = await curl(server, "-H", "accept: text/html", url);
    assert.match(page, /^<!doctype html>.*port 4999/s);
  });

  await t.step(
    "when the sandbox ends, its visitors' connections do, and 410 is the answer",
    async () => {
      const socket = new WebSocket(`${open.replace("https", "wss")}/socket`, { ca });
      await once(socket, "open");
      const file = `${server.dataDir}/stream.txt`;
      const stream = curl(server, "--no-buffer", "-o", file, `${open}/forever`).then(
        () => "ended",
        () => "broken off",
      );
      await until(
        "the stream",
        10_000,
        () => readFile(file).then((text) => text.length > 0, () => false),
      );
      const closed = once(socket, "close");
      await sandbox.kill();
      assert.equal((await closed)[0], 1006);
      assert.equal(await stream, "broken off");
      assert.match(await curl(server, "-i", open), /^HTTP\/2 410 .*"SANDBOX_STOPPED"/s);
    },
  );
});
