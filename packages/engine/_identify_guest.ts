import { sleep } from "@paddock/driver";
import { type GuestIdentity, PaddockError } from "@paddock/protocol";
import { type AgentAddress, askAgent } from "./_ask_agent.ts";

const FIRST_WAIT_MS = 3;
const LONGEST_WAIT_MS = 15;
/** While a machine's network comes up, packets get lost: a new attempt is quicker than waiting. */
const FIRST_ATTEMPT_MS = 30;
const LONGEST_ATTEMPT_MS = 2_000;
/** A slow machine's clock is set to a time that has passed: it is told again, when it has woken up. */
const LATE_MS = 150;
const MOST_TIMES = 4;

/**
 * Tells a restored machine who it is, as soon as its agent can be reached. The message may be sent
 * again when the first one's answer was lost: it says the same, and the new token opens as well.
 */
export async function identifyGuest(
  agent: AgentAddress,
  identity: () => GuestIdentity,
  signal: AbortSignal,
): Promise<void> {
  let wait = FIRST_WAIT_MS;
  let attempt = FIRST_ATTEMPT_MS;
  let { token } = agent;
  let times = 0;
  for (;;) {
    signal.throwIfAborted();
    const told = { ...identity(), ...(times > 0 && { again: true }) };
    const request = { path: "/identity", body: told };
    const answer = await askAgent({ ...agent, token }, request, attempt, signal);
    if (typeof answer === "object") {
      if (answer.status === 200) {
        if (Date.now() - told.time <= LATE_MS || ++times === MOST_TIMES) return;
        token = told.token;
        continue;
      }
      if (answer.status === 409) throw hookFailed(answer.text);
      if (answer.status !== 401 || token === told.token) {
        throw new PaddockError("RESTORE_FAILED", {
          cause: new Error(`the agent answered ${answer.status}: ${answer.text}`),
        });
      }
      // An earlier message arrived after all.
      token = told.token;
    } else if (answer === "silent") {
      attempt = Math.min(attempt * 1.3, LONGEST_ATTEMPT_MS);
    } else {
      await sleep(wait, signal);
      wait = Math.min(wait * 1.2, LONGEST_WAIT_MS);
    }
  }
}

const MOST_CHARACTERS = 200;

/** What a template wants done in each of its machines did not come about there. */
function hookFailed(text: string): PaddockError {
  return new PaddockError("RESTORE_FAILED", {
    message: "The machine was restored, but not its template's `restored` command: " +
      text.slice(0, MOST_CHARACTERS),
  });
}
