import WebSocket from "ws";
import type { RunningSandbox } from "../engine.ts";

const OUTPUT = "/tmp/paddock-test-output";

/** Runs a shell command in a sandbox, as its user, through the agent; answers what it printed. */
export async function guestShell(sandbox: RunningSandbox, command: string): Promise<string> {
  const { host, port, token } = sandbox.agent;
  const socket = new WebSocket(`ws://${host}:${port}/rpc`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on("open", () => resolve());
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the agent closed the connection")));
  socket.on("message", (data) => {
    const answer = JSON.parse(String(data));
    waiting.get(answer.id)?.(answer);
  });
  const call = async (method: string, params: unknown): Promise<unknown> => {
    const id = waiting.size + 1;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    const answer = await promise;
    if (answer.error || answer.result?.error) throw new Error(JSON.stringify(answer));
    return answer.result?.ok;
  };
  try {
    await opened;
    const { pid } = await call("spawn", {
      command: "/bin/bash",
      args: ["-c", `{ ${command}\n} > ${OUTPUT} 2>&1`],
      stdout: "null",
      stderr: "null",
    }) as { pid: number };
    await call("processWait", { pid });
    return await call("readTextFile", { path: OUTPUT }) as string;
  } finally {
    socket.terminate();
  }
}

interface Answer {
  id: number;
  result?: { ok?: unknown; error?: unknown };
  error?: unknown;
}
