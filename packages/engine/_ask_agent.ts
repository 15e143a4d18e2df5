import { request } from "node:http";

export interface AgentAddress {
  host: string;
  port: number;
  token: string;
}

/** One that has connected is at work on its answer, which giving up on it would only make later. */
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 4_096;

/** `refused`: nobody to talk to, or given up; `silent`: no connection, or no answer, in time. */
export type AgentAnswer = { status: number; text: string } | "refused" | "silent";

/** One HTTP request to an agent: a GET, or a POST of the JSON that is given. Never rejects. */
export function askAgent(
  agent: AgentAddress,
  { path, body }: { path: string; body?: unknown },
  attemptMs: number,
  signal: AbortSignal,
): Promise<AgentAnswer> {
  return new Promise((resolve) => {
    const bytes = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
    let timer = setTimeout(() => finish("silent"), attemptMs);
    const onAbort = () => finish("refused");
    const asked = request({
      host: agent.host,
      port: agent.port,
      path,
      method: bytes ? "POST" : "GET",
      agent: false,
      headers: {
        authorization: `Bearer ${agent.token}`,
        connection: "close",
        ...(bytes && { "content-type": "application/json", "content-length": bytes.length }),
      },
    }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) finish("refused");
      });
      answer.on("end", () => finish({ status: answer.statusCode ?? 0, text }));
      answer.on("error", () => finish("refused"));
    });
    asked.on("error", () => finish("refused"));
    asked.on("socket", (socket) =>
      socket.once("connect", () => {
        clearTimeout(timer);
        timer = setTimeout(() => finish("silent"), Math.max(attemptMs, ANSWER_MS));
      }));
    signal.addEventListener("abort", onAbort, { once: true });
    asked.end(bytes);

    function finish(answer: AgentAnswer) {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(answer);
      asked.destroy();
    }
  });
}
