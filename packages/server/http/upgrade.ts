import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { closeCodes, PaddockError } from "@paddock/protocol";
import { hasVolumes, type RunningSandbox } from "@paddock/engine";
import type { Services } from "../services.ts";
import { acceptOf, type ClientHandshake, readHandshake } from "../session/handshake.ts";
import { closeOf } from "../session/connections.ts";
import { type AgentConnection, dialAgent } from "../session/dial_agent.ts";
import { EarlyClient } from "../session/early_client.ts";
import { Splice } from "../session/splice.ts";
import type { Log } from "../log.ts";
import { answerError } from "./api_error.ts";
import { authenticate } from "./authenticate.ts";
import { respondRaw, respondSwitching } from "./raw_response.ts";
import { newTraceId } from "./trace.ts";
import { type Opened, openSandbox, type SocketRoute, socketRouteOf } from "./socket_routes.ts";

/** TCP's own probes find a peer whose host has vanished, beside the WebSocket pings. */
const KEEP_ALIVE_MS = 15_000;
/** How long one side of a connection may take to finish after the other. */
const LINGER_MS = 2_000;
/** Less than published clients wait for the end of a connection that both sides have closed. */
const SESSION_END_WITHIN_MS = 25_000;
/** The engine knows why a sandbox ended soon after its agent has fallen silent. */
const EXPLAIN_WITHIN_MS = 1_500;

/** Answers every upgrade request of the server, with a WebSocket to an agent or an error. */
export async function handleUpgrade(
  services: Services,
  request: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
): Promise<void> {
  const traceId = newTraceId();
  let log = services.log.with({ traceId });
  const early = new EarlyClient(socket, head);
  try {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    services.closing.throwIfAborted();
    const signal = AbortSignal.any([early.signal, services.closing]);
    const route = socketRouteOf(request.url ?? "/");
    const identity = await authenticate({
      authorization: request.headers.authorization,
      organization: headerOf(request, "x-deno-org"),
    }, services.store.tokens);
    log = log.with({ organization: identity.organization });
    services.organizationConnections.claim(socket, identity.organizationId);
    const handshake = readHandshake(request);
    const opened = await openSandbox(services, { route, identity, request, signal });
    log = log.with({ sandbox: opened.sandbox.spec.id });
    await join({ services, opened, route, handshake, early, socket, traceId, log });
  } catch (error) {
    early.take();
    if (early.signal.aborted) log.info("client left before its answer", { path: request.url });
    const { status, body } = answerError(error, traceId, log);
    respondRaw(socket, status, {
      "x-deno-trace-id": traceId,
      ...(status === 426 ? { "upgrade": "websocket", "sec-websocket-version": "13" } : {}),
    }, body);
  }
}

interface Joining {
  services: Services;
  opened: Opened;
  route: SocketRoute;
  handshake: ClientHandshake;
  early: EarlyClient;
  socket: Socket;
  traceId: string;
  log: Log;
}

async function join(joining: Joining): Promise<void> {
  const { services, opened, route, handshake, early, socket, traceId, log } = joining;
  const { sandbox, release, place } = opened;
  let agent: AgentConnection;
  try {
    agent = await dial(joining);
    // From here to the splice nothing waits, so that no byte and no event falls between.
    early.signal.throwIfAborted();
  } catch (error) {
    release();
    place[Symbol.dispose]();
    await opened.undo();
    throw error;
  }
  const clientHead = early.take();
  respondSwitching(socket, {
    "sec-websocket-accept": acceptOf(handshake.key),
    ...(agent.protocol ? { "sec-websocket-protocol": agent.protocol } : {}),
    "x-deno-sandbox-id": sandbox.spec.id,
    "x-deno-trace-id": traceId,
  });
  const began = performance.now();
  const splice = new Splice({
    client: socket,
    agent: agent.socket,
    agentReads: agent.reads,
    clientHead,
    agentHead: agent.head,
    idleMs: services.config.limits.clientIdleMs,
    guestSilenceMs: services.config.limits.guestSilenceMs,
    lingerMs: LINGER_MS,
    explain: () => explain(sandbox),
    ...(hasVolumes(sandbox.spec) && { beforeEnd: () => endSession(sandbox, release) }),
    onClientGone: release,
  });
  services.connections.add(sandbox.spec.id, splice);
  opened.connected();
  sandbox.ended.then((reason) => services.connections.sandboxEnded(sandbox.spec.id, reason));
  log.info("client connected", { route: route.kind, encoding: route.encoding });
  splice.done.then((result) => {
    place[Symbol.dispose]();
    log.info("client disconnected", { ...result, ms: Math.round(performance.now() - began) });
  });
}

async function dial({ services, opened, route, handshake, early }: Joining) {
  const { limits } = services.config;
  const terms = { encoding: route.encoding, protocol: handshake.protocol };
  services.greeter?.asked(terms);
  using greeting = opened.greeting;
  const made = greeting?.take(terms);
  if (made) return made;
  const deadline = AbortSignal.timeout(limits.upgradeTimeoutMs);
  try {
    return await dialAgent(opened.sandbox.agent, {
      ...terms,
      signal: AbortSignal.any([early.signal, deadline]),
    });
  } catch (cause) {
    if (!deadline.aborted || cause instanceof PaddockError) throw cause;
    throw new PaddockError("AGENT_UNREACHABLE", {
      message: "The sandbox's agent did not accept the connection within " +
        `${limits.upgradeTimeoutMs / 1000} s (limits.upgradeTimeoutMs).`,
      cause,
    });
  }
}

/** A client whose `close` has returned finds on its volumes what its session wrote. */
async function endSession(sandbox: RunningSandbox, release: () => void): Promise<void> {
  release();
  if (sandbox.state === "running") return;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, SESSION_END_WITHIN_MS);
  await Promise.race([sandbox.ended, late.promise]);
  clearTimeout(timer);
}

function explain(sandbox: RunningSandbox): Promise<{ code: number; reason: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; reason: string }>();
  const lost = { code: closeCodes.internalError, reason: "the connection to the sandbox was lost" };
  const timer = setTimeout(() => resolve(lost), EXPLAIN_WITHIN_MS);
  sandbox.ended.then((reason) => {
    clearTimeout(timer);
    const { code, text } = closeOf(reason);
    resolve({ code, reason: text });
  });
  return promise;
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}
