import type { LimitValues } from "@paddock/protocol";
import { type AgentAddress, AgentClient } from "./agent_client.ts";

export interface UseAgentOptions {
  limits: Pick<LimitValues, "upgradeTimeoutMs">;
  signal: AbortSignal;
}

/** A connection to an agent for as long as `work` takes, or until the signal is aborted. */
export async function useAgent(
  agent: AgentAddress,
  { limits, signal }: UseAgentOptions,
  work: (client: AgentClient) => Promise<void>,
): Promise<void> {
  await using client = await AgentClient.connect(agent, { limits, maxStreams: 4, signal });
  const closing = () => void client.close();
  signal.addEventListener("abort", closing, { once: true });
  try {
    await work(client);
  } finally {
    signal.removeEventListener("abort", closing);
  }
}
