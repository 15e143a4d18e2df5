import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { RunningSandbox } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import { dial } from "./tunnel_to_guest.ts";

/** An answer this young is taken as it is. */
const FRESH_MS = 1_000;
/** Up to this age it still serves while a new one is asked for, so that nobody waits. */
const USABLE_MS = 15_000;
const MAX_DOMAINS = 256;
const MAX_ANSWER_BYTES = 4_096;
const ASK_TIMEOUT_MS = 5_000;

export interface ExposedDomain {
  /** Without port, as the agent knows it. */
  domain: string;
  /** When the owner gave the name: given again, it may lead elsewhere. */
  since: number;
}

interface Known {
  port: number;
  at: number;
  since: number;
  asking?: Promise<number>;
}

const known = new WeakMap<RunningSandbox, Map<string, Known>>();

/**
 * The guest's port that a domain leads to, as its agent says. Throws EXPOSURE_NOT_FOUND when the
 * sandbox knows no such domain and PORT_NOT_LISTENING when it leads to a process without a port.
 */
export async function exposedPort(
  sandbox: RunningSandbox,
  { domain, since }: ExposedDomain,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  let domains = known.get(sandbox);
  if (!domains) known.set(sandbox, domains = new Map());
  const found = domains.get(domain);
  const entry = found?.since === since ? found : undefined;
  const age = entry ? performance.now() - entry.at : Infinity;
  if (entry && age < FRESH_MS) return entry.port;
  const asking = entry?.asking ?? refresh(sandbox, domains, { domain, since }, entry);
  if (entry && age < USABLE_MS) return entry.port;
  return await raceAbort(asking, signal);
}

/** Called when the port turned out wrong: the next request asks anew. */
export function forgetExposedPort(sandbox: RunningSandbox, domain: string): void {
  known.get(sandbox)?.delete(domain);
}

function refresh(
  sandbox: RunningSandbox,
  domains: Map<string, Known>,
  { domain, since }: ExposedDomain,
  entry: Known | undefined,
): Promise<number> {
  const asking = ask(sandbox, domain).then((port) => {
    if (!domains.has(domain) && domains.size >= MAX_DOMAINS) domains.clear();
    domains.set(domain, { port, since, at: performance.now() });
    return port;
  }, (error) => {
    domains.delete(domain);
    throw error;
  });
  // Whoever waits sees the failure; a refresh in the background has nobody who does.
  asking.catch(() => {});
  domains.set(domain, {
    ...{ since, port: entry?.port ?? 0, at: entry?.at ?? -Infinity },
    asking,
  });
  return asking;
}

async function ask(sandbox: RunningSandbox, domain: string): Promise<number> {
  const { host, port, token } = sandbox.agent;
  let answer: { status: number; body: string };
  try {
    const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
    const socket = await dial(host, port, signal);
    socket.write(
      `GET /exposed?domain=${encodeURIComponent(domain)} HTTP/1.1\r\nHost: agent\r\n` +
        `Authorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    answer = await answerOf(socket, signal);
  } catch (cause) {
    throw new PaddockError("AGENT_UNREACHABLE", { cause });
  }
  const { status, body } = answer;
  if (status === 404) throw new PaddockError("EXPOSURE_NOT_FOUND");
  if (status === 409) {
    throw new PaddockError("PORT_NOT_LISTENING", {
      message: "The process that this address leads to does not listen on a port.",
    });
  }
  const found = status === 200 ? portIn(body) : undefined;
  if (found !== undefined) return found;
  throw new PaddockError("AGENT_UNREACHABLE", { cause: new Error(`it answered ${status}`) });
}

/**
 * All that comes until the connection ends, which is little. Not by a client of HTTP, which reads on and
 * on where a guest sends what it need not count: a hundred megabytes of 102 in a second, for one.
 */
function answerOf(
  socket: Socket,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  let text = "";
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("data", (chunk) => {
    text += (chunk as Buffer).toString("latin1", 0, MAX_ANSWER_BYTES + 1);
    if (text.length > MAX_ANSWER_BYTES) reject(new Error("its answer is too long"));
  });
  socket.on("close", () => {
    const [, status, body] = /^HTTP\/1\.1 (\d{3}) .*?\r\n\r\n(.*)$/s.exec(text) ?? [];
    if (status === undefined) reject(new Error("it did not answer in HTTP"));
    else resolve({ status: Number(status), body });
  });
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  });
}

function portIn(text: string): number | undefined {
  try {
    const port: unknown = JSON.parse(text)?.port;
    return Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535
      ? port as number
      : undefined;
  } catch {
    return undefined;
  }
}

function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
