import assert from "node:assert/strict";
import { SandboxCommandBuilder } from "./command_builder.ts";

function build(signal: AbortSignal): SandboxCommandBuilder {
  const neverStarts = () => Promise.reject(new Error("not started in this test"));
  return new SandboxCommandBuilder(neverStarts, "true", { signal }, "piped");
}

Deno.test("a signal that many commands share has one listener, and aborts them all", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  const commands = Array.from({ length: 50 }, () => build(signal).noThrow());
  assert.equal(listeners, 1);
  controller.abort();
  const { status } = await commands[49];
  assert.equal(status.code, 143);
});

Deno.test("a command's earlier signals abort no other command", async () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const both = build(first.signal).noThrow().signal(second.signal);
  first.abort();
  assert.equal((await both).status.code, 143);
  await assert.rejects(build(second.signal).result(), /not started/);
});
