import assert from "node:assert/strict";
import { endProcesses } from "./end_processes.ts";
import { runMarker } from "./leftovers.ts";

Deno.test("what a run has left is ended, and what is not of it goes on", async () => {
  const runId = crypto.randomUUID();
  const start = (script: string, env: Record<string, string>) =>
    new Deno.Command("bash", { args: ["-c", script], env, stdout: "piped" }).spawn();
  const parent = start("trap 'kill $child; exit 7' TERM; sleep 100 & child=$!; echo; wait", {
    [runMarker]: runId,
  });
  const other = start("echo; exec sleep 100", { [runMarker]: crypto.randomUUID() });
  const [asked, left] = [parent, other].map(({ stdout }) => stdout.getReader());
  await asked.read();
  await left.read();
  await endProcesses(runId);
  assert.equal((await parent.status).code, 7, "it was asked, and ended its own child");
  other.kill("SIGKILL");
  assert.equal((await other.status).signal, "SIGKILL");
  await Promise.all([asked.cancel(), left.cancel()]);
});
