import type { AgentAddress } from "./agent_client.ts";
import { useAgent, type UseAgentOptions } from "./use_agent.ts";

const quiet = { stdout: "null", stderr: "null" } as const;

/**
 * Has an agent do once what clients ask for first. The programs that do it are compiled and in memory
 * then, and so they are in every machine that is restored from this one.
 */
export async function exerciseAgent(agent: AgentAddress, options: UseAgentOptions): Promise<void> {
  await useAgent(agent, options, async (client) => {
    const { pid } = await client.call("spawnDenoRepl", quiet);
    await client.call("denoReplEval", { pid, code: "1 + 1" });
    await client.call("denoReplClose", { pid });
    const child = await client.call("spawn", { command: "true", ...quiet });
    await client.call("processWait", { pid: child.pid });
    const path = `/tmp/${crypto.randomUUID()}`;
    await client.call("writeTextFile", { path, content: "1" });
    await client.call("readTextFile", { path });
    await client.call("remove", { path });
  });
}
