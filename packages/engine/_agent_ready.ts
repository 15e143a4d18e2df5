import { sleep } from "@paddock/driver";
import { type AgentAddress, askAgent } from "./_ask_agent.ts";

const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 15;
/** While a machine's network comes up, packets get lost: a new attempt is quicker than waiting. */
const FIRST_ATTEMPT_MS = 60;
const LONGEST_ATTEMPT_MS = 2_000;

/** Resolves once the agent answers `GET /health`; rejects with the signal's reason. */
export async function waitForAgent(agent: AgentAddress, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS;
  let attempt = FIRST_ATTEMPT_MS;
  for (;;) {
    signal.throwIfAborted();
    const answer = await askHealth(agent, attempt, signal);
    if (typeof answer === "object") return;
    if (answer === "silent") attempt = Math.min(attempt * 1.5, LONGEST_ATTEMPT_MS);
    else {
      await sleep(wait, signal);
      wait = Math.min(wait * 1.1, LONGEST_WAIT_MS);
    }
  }
}

/** What the agent says of itself now, if it answers. */
export async function agentHealth(
  agent: AgentAddress,
  signal: AbortSignal,
): Promise<Health | undefined> {
  const answer = await askHealth(agent, LONGEST_ATTEMPT_MS, signal);
  return typeof answer === "object" ? answer : undefined;
}

/** From the guest: any of it may be missing or something else. */
type Health = Record<string, unknown>;

async function askHealth(
  agent: AgentAddress,
  attemptMs: number,
  signal: AbortSignal,
): Promise<Health | "refused" | "silent"> {
  const answer = await askAgent(agent, { path: "/health" }, attemptMs, signal);
  if (typeof answer === "string") return answer;
  return answer.status === 200 ? parseHealth(answer.text) ?? "refused" : "refused";
}

function parseHealth(text: string): Health | undefined {
  try {
    const health = JSON.parse(text);
    return health?.ok === true ? health : undefined;
  } catch {
    return undefined;
  }
}
