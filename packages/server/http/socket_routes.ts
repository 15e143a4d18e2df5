import type { IncomingMessage } from "node:http";
import {
  PaddockError,
  parseDenodeployConfigV2,
  parseSandboxConfig,
  type SandboxConfig,
} from "@paddock/protocol";
import type { RunningSandbox } from "@paddock/engine";
import { findRunning } from "../sandbox/find_sandbox.ts";
import type { Greeting } from "../session/agent_greeter.ts";
import type { Services } from "../services.ts";
import type { Identity } from "../store/tokens.ts";
import { regionOfHost } from "./region_of_host.ts";

export type SocketRoute =
  | { kind: "create"; encoding: "v3" }
  | { kind: "connect"; encoding: "v3"; id: string }
  | { kind: "by-header"; encoding: "v2" };

/** The addresses that speak WebSocket. */
export function socketRouteOf(target: string): SocketRoute {
  const route = match(target.split("?", 1)[0]);
  if (route) return route;
  throw new PaddockError("ROUTE_NOT_FOUND", { message: "There is no WebSocket at this address." });
}

export function isSocketPath(path: string): boolean {
  return match(path) !== undefined;
}

function match(path: string): SocketRoute | undefined {
  if (path === "/api/v3/sandboxes/create") return { kind: "create", encoding: "v3" };
  if (path === "/api/v2/sandbox/ws") return { kind: "by-header", encoding: "v2" };
  const id = /^\/api\/v3\/sandbox\/([\w-]{1,64})\/connect$/.exec(path)?.[1];
  return id === undefined ? undefined : { kind: "connect", encoding: "v3", id };
}

/** A sandbox and what the connection owes it. */
export interface Opened {
  sandbox: RunningSandbox;
  /** A connection that may do for this one; else it is in the way. */
  greeting?: Greeting;
  /** Gives the session up; once. */
  release(): void;
  /** Among the connections to the sandbox; given back once this one has ended. */
  place: Disposable;
  /** Takes back what was done for a client that never got its connection. */
  undo(): Promise<void>;
  /** The connection stands: a session sandbox no longer waits for its first one. */
  connected(): void;
}

export interface OpenRequest {
  route: SocketRoute;
  identity: Identity;
  request: IncomingMessage;
  signal: AbortSignal;
}

export async function openSandbox(services: Services, open: OpenRequest): Promise<Opened> {
  const { route, request } = open;
  const { limits } = services.config;
  if (route.kind === "create") {
    const config = parseSandboxConfig(configOfHeader(request), { limits });
    return await create(services, open, config);
  }
  if (route.kind === "connect") return await connect(services, open, route.id);
  const { sandboxId, mode, config } = parseDenodeployConfigV2(v2ConfigOfHeader(request), {
    limits,
  });
  if (mode === "connect") return await connect(services, open, sandboxId);
  return await create(services, open, config, sandboxId);
}

async function create(
  services: Services,
  { identity, request, signal }: OpenRequest,
  config: SandboxConfig,
  alias?: string,
): Promise<Opened> {
  const sandbox = await services.creator.create({
    organizationId: identity.organizationId,
    config,
    hostRegion: regionOfHost(request.headers.host, services.config.regions),
    alias,
  }, signal);
  const { release } = hold(sandbox);
  // Nobody knows the id of a sandbox whose creator has no connection: it would be lost for good.
  const place = services.sandboxPlaces.take(sandbox.spec.id);
  return {
    ...{ sandbox, release, place },
    greeting: sandbox.takeGreeting() as Greeting | undefined,
    undo: () => sandbox.kill("create_failed"),
    connected() {},
  };
}

async function connect(
  services: Services,
  { identity, signal }: OpenRequest,
  idOrAlias: string,
): Promise<Opened> {
  const { engine, store, sandboxPlaces, graces, standstills } = services;
  const find = () =>
    findRunning(
      { engine, sandboxes: store.sandboxes, signal },
      identity.organizationId,
      idOrAlias,
    );
  const { id } = (await find()).spec;
  await standstills.passed(id, signal);
  const sandbox = await find();
  const place = sandboxPlaces.take(id);
  const { release } = hold(sandbox);
  return { sandbox, release, place, undo: async () => {}, connected: () => graces.end(id) };
}

function hold(sandbox: RunningSandbox): { release(): void } {
  const session = sandbox.holdSession();
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      session.release();
    },
  };
}

function configOfHeader(request: IncomingMessage): unknown {
  const header = request.headers["x-deno-sandbox-config"];
  if (header === undefined) return {};
  try {
    return JSON.parse(decodeText(Uint8Array.fromBase64(String(header))));
  } catch (cause) {
    throw invalidHeader("x-deno-sandbox-config", "base64 of a JSON object", cause);
  }
}

/** Published clients make one byte of each character (`btoa`), others write UTF-8. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

function v2ConfigOfHeader(request: IncomingMessage): unknown {
  try {
    return JSON.parse(String(request.headers["x-denodeploy-config-v2"]));
  } catch (cause) {
    throw invalidHeader("x-denodeploy-config-v2", "a JSON object", cause);
  }
}

function invalidHeader(field: string, expected: string, cause: unknown): PaddockError {
  return new PaddockError("INVALID_CONFIG", {
    message: `${field}: the header must hold ${expected}.`,
    field,
    cause,
  });
}
