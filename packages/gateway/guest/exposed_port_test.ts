import assert from "node:assert/strict";
import { standInSandbox } from "../http/testing/stand_in_sandbox.ts";
import { rawGuest } from "../http/testing/raw_guest.ts";
import { exposedPort, forgetExposedPort } from "./exposed_port.ts";

const soon = () => AbortSignal.timeout(10_000);
const at = (domain: string, since = 1) => ({ domain, since });

Deno.test("the agent is asked once for many visitors, and again for a name given again", async () => {
  await using guest = await standInSandbox();
  const { sandbox, exposed, asked } = guest;
  exposed.set("a.test", 8000);
  const ports = await Promise.all(
    Array.from({ length: 20 }, () => exposedPort(sandbox, at("a.test"), soon())),
  );
  assert.deepEqual([...new Set(ports)], [8000]);
  assert.equal(asked.length, 1);
  exposed.set("a.test", 9000);
  assert.equal(await exposedPort(sandbox, at("a.test"), soon()), 8000);
  assert.equal(await exposedPort(sandbox, at("a.test", 2), soon()), 9000);
  exposed.set("a.test", 9001);
  forgetExposedPort(sandbox, "a.test");
  assert.equal(await exposedPort(sandbox, at("a.test", 2), soon()), 9001);
});

Deno.test("what the agent says beyond a port is not followed", async () => {
  await using guest = await standInSandbox();
  const { sandbox, exposed } = guest;
  await assert.rejects(exposedPort(sandbox, at("none.test"), soon()), {
    code: "EXPOSURE_NOT_FOUND",
  });
  exposed.set("silent.test", 0);
  await assert.rejects(exposedPort(sandbox, at("silent.test"), soon()), {
    code: "PORT_NOT_LISTENING",
  });
  for (const port of [65_536, 1.5, "8000", { port: 1 }, "x".repeat(5_000)]) {
    exposed.set("odd.test", port as number);
    await assert.rejects(exposedPort(sandbox, at("odd.test"), soon()), {
      code: "AGENT_UNREACHABLE",
    }, String(port).slice(0, 20));
  }
});

Deno.test("an agent that answers without an end is not listened to", async () => {
  for (
    const [first, part] of [
      ["", "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n".repeat(1_000)],
      ["HTTP/1.1 200 OK\r\nX: ", "y".repeat(64_000)],
      ["HTTP/1.1 200 OK\r\n\r\n", " ".repeat(64_000)],
    ]
  ) {
    let sent = 0;
    await using agent = await rawGuest((socket) => {
      const pump = () => {
        while (!socket.destroyed && sent < 64 << 20 && socket.write(part)) sent += part.length;
      };
      socket.write(first);
      socket.on("drain", pump);
      pump();
    }, "127.0.0.1");
    await using guest = await standInSandbox();
    const sandbox = {
      ...guest.sandbox,
      agent: { host: "127.0.0.1", port: agent.port, token: "t" },
    };
    await assert.rejects(exposedPort(sandbox, at("flood.test"), soon()), {
      code: "AGENT_UNREACHABLE",
    });
    assert.ok(sent < 64 << 20, "it was cut off");
  }
});
