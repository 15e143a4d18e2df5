import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { GUEST_ADDRESS, standInSandbox } from "../http/testing/stand_in_sandbox.ts";
import { rawGuest } from "../http/testing/raw_guest.ts";
import { openGuestPort } from "./open_guest_port.ts";

const soon = () => AbortSignal.timeout(10_000);

Deno.test("a server on the guest's address is dialled, one on loopback goes through the agent", async () => {
  await using guest = await standInSandbox();
  for (const [host, tunnels] of [[GUEST_ADDRESS, 0], ["127.0.0.1", 1]] as const) {
    await using server = await rawGuest(
      (socket, received) => socket.write(`got ${received}`),
      host,
    );
    const before = guest.asked.length;
    const socket = await openGuestPort(guest.sandbox, server.port, soon());
    socket.write("hi");
    socket.resume();
    const [answer] = await once(socket, "data");
    assert.equal(String(answer), "got hi");
    assert.equal(guest.asked.length - before, tunnels);
    socket.destroy();
  }
});

Deno.test("the way that worked is tried first, and the other when it works no more", async () => {
  await using guest = await standInSandbox();
  const loopback = await rawGuest(() => {}, "127.0.0.1");
  (await openGuestPort(guest.sandbox, loopback.port, soon())).destroy();
  await loopback[Symbol.asyncDispose]();
  const server = createServer().listen(loopback.port, GUEST_ADDRESS);
  await once(server, "listening");
  assert.equal((server.address() as AddressInfo).port, loopback.port);
  const asked = guest.asked.length;
  (await openGuestPort(guest.sandbox, loopback.port, soon())).destroy();
  assert.equal(guest.asked.length, asked + 1, "the tunnel was tried first");
  (await openGuestPort(guest.sandbox, loopback.port, soon())).destroy();
  assert.equal(guest.asked.length, asked + 1, "and now it is direct");
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("where nothing listens, on the agent's port and on what is no port there is no connection", async () => {
  await using guest = await standInSandbox();
  const { sandbox, asked } = guest;
  const refused = (port: number, code: string) =>
    assert.rejects(openGuestPort(sandbox, port, soon()), { code }, String(port));
  await refused(1, "PORT_NOT_LISTENING");
  const before = asked.length;
  await refused(sandbox.agent.port, "PORT_NOT_LISTENING");
  assert.equal(asked.length, before);
  for (const port of [0, -1, 65_536, 1.5, NaN]) await refused(port, "INVALID_ARGUMENT");
  const aborted = AbortSignal.abort(new Error("enough"));
  await assert.rejects(openGuestPort(sandbox, 80, aborted), /enough/);
});

Deno.test("the address of a sandbox that ended is another one's: nothing is connected to it", async () => {
  await using guest = await standInSandbox();
  const { sandbox, setState } = guest;
  // What listens here now is the server of whoever got the address next.
  await using stranger = await rawGuest(() => {}, GUEST_ADDRESS);
  const before = openGuestPort(sandbox, stranger.port, soon());
  setState("stopping");
  await assert.rejects(before, { code: "SANDBOX_STOPPED" }, "it ended while it was dialled");
  for (const state of ["stopping", "stopped"] as const) {
    setState(state);
    await assert.rejects(openGuestPort(sandbox, stranger.port, soon()), {
      code: "SANDBOX_STOPPED",
    });
    await assert.rejects(openGuestPort(sandbox, stranger.port, soon(), "localhost"), {
      code: "SANDBOX_STOPPED",
    });
  }
  setState("running");
  (await openGuestPort(sandbox, stranger.port, soon())).destroy();
});
