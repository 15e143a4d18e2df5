import type { LimitValues } from "@paddock/protocol";
import { type AgentAddress, AgentClient } from "./agent_client.ts";

/**
 * Has an agent do once what clients ask for first. The programs that do it are compiled and in memory
 * then, and so they are in every machine that is restored from this one.
 */
export async function exerciseAgent(
  agent: AgentAddress,
  { limits, signal }: { limits: Pick<LimitValues, "upgradeTimeoutMs">; signal: AbortSignal },
): Promise<void> {
  await using client = await AgentClient.connect(agent, { limits, maxStreams: 4, signal });
  const closing = () => void client.close();
  signal.addEventListener("abort", closing, { once: true });
  try {
    const quiet = { stdout: "null", stderr: "null" } as const;
    const { pid } = await client.call("spawnDenoRepl", quiet);
    await client.call("denoReplEval", { pid, code: "1 + 1" });
    await client.call("denoReplClose", { pid });
    const child = await client.call("spawn", { command: "true", ...quiet });
    await client.call("processWait", { pid: child.pid });
    const path = `/tmp/${crypto.randomUUID()}`;
    await client.call("writeTextFile", { path, content: "1" });
    await client.call("readTextFile", { path });
    await client.call("remove", { path });
  } finally {
    signal.removeEventListener("abort", closing);
  }
}
