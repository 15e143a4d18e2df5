import type { AgentAddress } from "./agent_client.ts";
import { useAgent, type UseAgentOptions } from "./use_agent.ts";

/**
 * Has the agent of a machine that was restored do a little. What it needs for that is in the machine's memory,
 * but mapped nowhere yet: whoever asks first waits for a fault on each page.
 */
export async function rehearseAgent(agent: AgentAddress, options: UseAgentOptions): Promise<void> {
  await useAgent(agent, options, async (client) => {
    await client.call("stat", { path: "/" });
    const piped = { stdout: "piped", stderr: "piped" } as const;
    const { pid } = await client.call("spawn", { command: "true", ...piped });
    await client.call("processWait", { pid });
  });
}
