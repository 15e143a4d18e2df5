import assert from "node:assert/strict";
import { callDnsHook } from "./dns_hook.ts";

const record = { name: "_acme-challenge.example.com", value: "a value; $(with) 'quotes'" };
const never = new AbortController().signal;

function call(script: string, { hookTimeoutMs = 20_000, signal = never } = {}) {
  const hook = ["sh", "-c", script, "hook"];
  return callDnsHook({ type: "dns-01", hook, hookTimeoutMs }, "set", record, signal);
}

Deno.test("the command gets action, name and value as arguments, through no shell", async () => {
  await call(`[ "$#" = 3 ] && [ "$1" = set ] && [ "$2" = ${record.name} ]`);
  await assert.rejects(
    call(`printf %s "$3" >&2; exit 4`),
    (error: Error) => error.message.endsWith(`ended with status 4: ${record.value}`),
  );
});

Deno.test("a command that hangs, or is not there, is told apart; what it said is bounded", async () => {
  await assert.rejects(call("sleep 60 & sleep 60", { hookTimeoutMs: 50 }), /longer than 50 ms/);
  const controller = new AbortController();
  const stopped = call("sleep 60", { signal: controller.signal });
  controller.abort();
  await assert.rejects(stopped, /stopped with the gateway/);
  const hook = ["/nowhere/hook"];
  await assert.rejects(
    callDnsHook({ type: "dns-01", hook, hookTimeoutMs: 1_000 }, "clear", record, never),
    /\/nowhere\/hook clear could not be started/,
  );
  await assert.rejects(
    call("yes | head -c 1000000; exit 1"),
    (error: Error) => error.message.length < 3_000,
  );
});
