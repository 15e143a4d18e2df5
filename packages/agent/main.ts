/** The program inside the guest that serves the protocol. */
import { startAgent } from "./agent.ts";
import { readConfig } from "./config.ts";
import { writeMachineId } from "./restore/guest_names.ts";

// Nothing that a client or a child does may end the agent: what slips through is told and survived.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("[agent] unhandled rejection:", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  console.error("[agent] unhandled error:", event.error ?? event.message);
});

const config = readConfig(Deno.env.toObject());
const tell = (text: string) => console.error(`[agent] ${text}`);
if (config.machineId !== undefined) writeMachineId(config.machineId, tell);
const agent = startAgent(config);
console.error(`[agent] listening on port ${agent.port}`);

const stop = () => {
  agent.close();
  Deno.exit(0);
};
Deno.addSignalListener("SIGTERM", stop);
Deno.addSignalListener("SIGINT", stop);
