import { request } from "node:http";
import { sleep } from "@paddock/driver";

export interface AgentAddress {
  host: string;
  port: number;
  token: string;
}

const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 15;
/** While a machine's network comes up, packets get lost: a new attempt is quicker than waiting. */
const FIRST_ATTEMPT_MS = 60;
const LONGEST_ATTEMPT_MS = 2_000;
const MAX_ANSWER_BYTES = 4_096;

/** Resolves once the agent answers `GET /health`; rejects with the signal's reason. */
export async function waitForAgent(agent: AgentAddress, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS;
  let attempt = FIRST_ATTEMPT_MS;
  for (;;) {
    signal.throwIfAborted();
    const answer = await askHealth(agent, attempt, signal);
    if (answer === "healthy") return;
    if (answer === "silent") attempt = Math.min(attempt * 1.5, LONGEST_ATTEMPT_MS);
    else {
      await sleep(wait, signal);
      wait = Math.min(wait * 1.1, LONGEST_WAIT_MS);
    }
  }
}

function askHealth(
  agent: AgentAddress,
  attemptMs: number,
  signal: AbortSignal,
): Promise<"healthy" | "refused" | "silent"> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish("silent"), attemptMs);
    const onAbort = () => finish("refused");
    const asked = request({
      host: agent.host,
      port: agent.port,
      path: "/health",
      agent: false,
      headers: { authorization: `Bearer ${agent.token}`, connection: "close" },
    }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) finish("refused");
      });
      answer.on(
        "end",
        () => finish(answer.statusCode === 200 && isOk(text) ? "healthy" : "refused"),
      );
      answer.on("error", () => finish("refused"));
    });
    asked.on("error", () => finish("refused"));
    signal.addEventListener("abort", onAbort, { once: true });
    asked.end();

    function finish(answer: "healthy" | "refused" | "silent") {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(answer);
      asked.destroy();
    }
  });
}

function isOk(text: string): boolean {
  try {
    return JSON.parse(text)?.ok === true;
  } catch {
    return false;
  }
}
