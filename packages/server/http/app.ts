import { OpenAPIHono } from "@hono/zod-openapi";
import type { Socket } from "node:net";
import { apiErrorSchema, PaddockError } from "@paddock/protocol";
import type { Context } from "hono";
import { z } from "zod";
import type { Log } from "../log.ts";
import type { Services } from "../services.ts";
import type { Identity } from "../store/tokens.ts";
import { version } from "../version.ts";
import { answerError } from "./api_error.ts";
import { authenticate } from "./authenticate.ts";
import type { Answer, Call, Operation } from "./operation.ts";
import { checkpoints } from "./operations/checkpoints.ts";
import { createSandbox } from "./operations/create_sandbox.ts";
import { expose } from "./operations/expose.ts";
import { exposures } from "./operations/exposures.ts";
import { fork } from "./operations/fork.ts";
import { listSandboxes } from "./operations/list_sandboxes.ts";
import { oneSandbox } from "./operations/one_sandbox.ts";
import { pause } from "./operations/pause.ts";
import { templates } from "./operations/templates.ts";
import { service } from "./operations/service.ts";
import { volumes } from "./operations/volumes.ts";
import { regionOfHost } from "./region_of_host.ts";
import { isSocketPath } from "./socket_routes.ts";

const operations: readonly Operation[] = [
  ...service,
  listSandboxes,
  createSandbox,
  ...oneSandbox,
  fork,
  ...pause,
  ...checkpoints,
  ...templates,
  ...expose,
  ...exposures,
  ...volumes,
];

/** Resources of Deno Deploy that published clients can ask for and this server does not have. */
const FOREIGN =
  /^\/api\/v2\/(apps|layers|revisions|sandboxes\/[^/]+\/deploy|sandbox\/deploy)(\/|$)/;

interface Bindings {
  traceId: string;
  log: Log;
  body: () => Promise<Uint8Array>;
  socket: Socket;
}

export interface App {
  fetch(request: Request, bindings: Bindings): Promise<Response>;
}

export function createApp(services: Services): App {
  const app = new OpenAPIHono<{ Bindings: Bindings }>();
  for (const operation of operations) {
    describe(app, operation);
    const path = operation.path.replace(/\{(\w+)\}/g, ":$1");
    app.on(operation.method.toUpperCase(), path, (context) => serve(services, operation, context));
  }
  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "An organisation's token: `ddo_…`",
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Paddock", version, description: "Sandboxes, and who may use them." },
    security: [{ token: [] }],
  });
  app.get("/openapi.json", (context) => respond(context, { status: 200, body: document }));
  app.notFound((context) => {
    throw nothingAt(context.req.method, context.req.path);
  });
  app.onError((error, context) => {
    const { traceId, log } = context.env;
    const { status, body } = answerError(error, traceId, log);
    const headers = new Headers({
      "content-type": "application/json",
      "x-deno-trace-id": traceId,
    });
    // One connection too many is not kept after it was told so.
    if (error instanceof PaddockError && error.code === "TOO_MANY_CONNECTIONS") {
      headers.set("connection", "close");
    }
    return new Response(body, { status, headers });
  });
  return { fetch: async (request, bindings) => await app.fetch(request, bindings) };
}

async function serve(
  services: Services,
  operation: Operation,
  context: Context<{ Bindings: Bindings }>,
): Promise<Response> {
  const { req } = context;
  let log = context.env.log;
  let identity: Identity | undefined;
  if (!operation.open) {
    identity = await authenticate({
      authorization: req.header("authorization"),
      organization: req.header("x-deno-org"),
    }, services.store.tokens);
    log = log.with({ organization: identity.organization });
    services.organizationConnections.claim(context.env.socket, identity.organizationId);
    services.closing.throwIfAborted();
  }
  const call: Call = {
    services,
    // An open operation never looks at it.
    identity: identity!,
    params: req.param(),
    query: new URL(req.url).searchParams,
    hostRegion: regionOfHost(req.header("host"), services.config.regions),
    origin: `http://${req.header("host") ?? "localhost"}`,
    json: () => readJson(context.env.body),
    signal: AbortSignal.any([req.raw.signal, services.closing]),
    log,
  };
  return respond(context, await operation.handle(call));
}

function respond(context: Context<{ Bindings: Bindings }>, answer: Answer): Response {
  const text = typeof answer.body === "string";
  return new Response(text ? answer.body as string : JSON.stringify(answer.body), {
    status: answer.status,
    headers: {
      "content-type": text ? "text/plain; charset=utf-8" : "application/json",
      "x-deno-trace-id": context.env.traceId,
      ...answer.headers,
    },
  });
}

async function readJson(body: () => Promise<Uint8Array>): Promise<unknown> {
  const bytes = await body();
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new PaddockError("INVALID_REQUEST", { message: "The body is not JSON.", cause });
  }
}

function nothingAt(method: string, path: string): PaddockError {
  if (isSocketPath(path)) return new PaddockError("UPGRADE_REQUIRED");
  const allowed = operations.filter((operation) => matches(operation.path, path))
    .map((operation) => operation.method.toUpperCase());
  if (allowed.length > 0) {
    return new PaddockError("METHOD_NOT_ALLOWED", {
      message: `This address answers to ${allowed.join(", ")}, not to ${method.slice(0, 16)}.`,
    });
  }
  if (FOREIGN.test(path)) {
    return new PaddockError("NOT_SUPPORTED_YET", {
      message: "This Paddock runs sandboxes; it has no apps and no deployments.",
    });
  }
  return new PaddockError("ROUTE_NOT_FOUND");
}

function matches(pattern: string, path: string): boolean {
  const [want, have] = [pattern.split("/"), path.split("/")];
  return want.length === have.length &&
    want.every((part, index) => part.startsWith("{") || part === have[index]);
}

function describe(app: OpenAPIHono<{ Bindings: Bindings }>, operation: Operation): void {
  const { method, path, summary, open, query = {}, body, answer } = operation;
  const pathNames = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const json = (schema: z.ZodType) => ({ "application/json": { schema } });
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    ...(open ? { security: [] } : {}),
    request: {
      params: z.object(Object.fromEntries(pathNames.map((name) => [name, z.string()]))),
      query: z.object(
        Object.fromEntries(
          Object.entries(query).map(([name, { schema, description }]) => [
            name,
            schema.describe(description),
          ]),
        ),
      ),
      ...(body ? { body: { content: json(body) } } : {}),
    },
    responses: {
      [answer.status]: {
        description: answer.description,
        ...(answer.schema ? { content: json(answer.schema) } : {}),
      },
      default: { description: "An error", content: json(apiErrorSchema) },
    },
  });
}
