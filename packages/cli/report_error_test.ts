import assert from "node:assert/strict";
import { CliError, usageError } from "./cli_error.ts";
import { describeError } from "./report_error.ts";

Deno.test("a server's refusal is told once: its code and trace id have fields of their own", () => {
  const refusal = Object.assign(
    new Error("There is no such region. (status 400, code UNKNOWN_REGION, trace 0f)"),
    { code: "UNKNOWN_REGION", traceId: "0f", hint: "choose ams" },
  );
  assert.deepEqual(describeError(refusal), {
    message: "There is no such region",
    code: "UNKNOWN_REGION",
    hint: "choose ams",
    traceId: "0f",
    exitCode: 1,
  });
});

Deno.test("exit codes come from the error; what is no error is told as text", () => {
  assert.equal(describeError(usageError("nothing to do")).exitCode, 2);
  assert.equal(describeError(new CliError("lost", { exitCode: 125 })).exitCode, 125);
  assert.equal(describeError("plain").message, "plain");
});
