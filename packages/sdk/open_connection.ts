import { Buffer } from "node:buffer";
import { isBun } from "./_environment.ts";
import { waits } from "./_defaults.ts";
import { Connection } from "./connection.ts";
import { ApiError, ConnectionEstablishmentError, NetworkError } from "./errors.ts";
import { authHeaders, restRequest, type Target } from "./rest.ts";
import type { SandboxConfig } from "./sandbox_options.ts";

export interface OpenConnectionOptions {
  target: Target;
  path: string;
  /** The sandbox, when it exists already. */
  sandboxId?: string;
  deadlineMs: number;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Opens a connection; where the platform hides why that was refused, asks the server once more. */
export async function openConnection(options: OpenConnectionOptions): Promise<Connection> {
  const { target, sandboxId, signal } = options;
  try {
    return await Connection.open({
      url: target.endpoint + options.path,
      headers: { ...authHeaders(target), ...options.headers },
      deadlineMs: options.deadlineMs,
      signal,
    });
  } catch (error) {
    if (!isBun || sandboxId === undefined || !(error instanceof NetworkError)) throw error;
    await restRequest(target, { method: "GET", path: `/api/v3/sandbox/${sandboxId}`, signal })
      .catch((refusal) => {
        throw asEstablishmentError(refusal);
      });
    throw error;
  }
}

/** Servers and proxies take headers of some 16 KiB in all. */
const maxHeaderBytes = 6 * 1024;

/** Creates a sandbox and connects to it: one round trip where the platform and the size allow it. */
export async function createConnection(
  target: Target,
  config: SandboxConfig,
  signal?: AbortSignal,
): Promise<{ sandboxId: string; connection: Connection }> {
  const header = encodeConfig(config);
  if (isBun || header.length > maxHeaderBytes) {
    return await createFirst(target, config, signal);
  }
  const connection = await openConnection({
    target,
    path: "/api/v3/sandboxes/create",
    deadlineMs: waits.createMs,
    headers: { "x-deno-sandbox-config": header },
    signal,
  });
  if (connection.sandboxId === undefined) {
    await connection.close();
    throw new NetworkError(
      `${target.endpoint} did not say which sandbox it made; is it a Paddock?`,
    );
  }
  return { sandboxId: connection.sandboxId, connection };
}

async function createFirst(
  target: Target,
  config: SandboxConfig,
  signal: AbortSignal | undefined,
): Promise<{ sandboxId: string; connection: Connection }> {
  let sandboxId: string;
  try {
    ({ id: sandboxId } = await restRequest<{ id: string }>(target, {
      method: "POST",
      path: "/api/v3/sandboxes",
      body: config,
      deadlineMs: waits.createMs,
      signal,
    }));
  } catch (error) {
    throw asEstablishmentError(error);
  }
  try {
    const connection = await openConnection({
      target,
      path: `/api/v3/sandbox/${sandboxId}/connect`,
      sandboxId,
      deadlineMs: waits.connectMs,
      signal,
    });
    return { sandboxId, connection };
  } catch (error) {
    // Nobody will ever use it.
    await restRequest(target, { method: "DELETE", path: `/api/v3/sandbox/${sandboxId}` })
      .catch(() => {});
    throw error;
  }
}

function asEstablishmentError(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  const { status, code, field, hint, traceId } = error;
  return new ConnectionEstablishmentError({
    status,
    code,
    message: error.message.replace(/ \(status .*\)$/, ""),
    field,
    hint,
    traceId,
  });
}

/** Base64 of the JSON with everything beyond ASCII escaped, so that any decoder reads it right. */
function encodeConfig(config: SandboxConfig): string {
  const json = JSON.stringify(config).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return Buffer.from(json, "latin1").toString("base64");
}
