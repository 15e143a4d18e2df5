import { PaddockError } from "./paddock_error.ts";

export type RpcId = string | number;

export interface JsonRpcRequest {
  jsonrpc: "2.0";
  id: RpcId;
  method: string;
  params?: unknown;
}

export interface JsonRpcNotification {
  jsonrpc: "2.0";
  method: string;
  params?: unknown;
}

export interface JsonRpcSuccess {
  jsonrpc: "2.0";
  id: RpcId;
  result: unknown;
}

export interface JsonRpcErrorDetail {
  code: number;
  message: string;
  data?: unknown;
}

export interface JsonRpcFailure {
  jsonrpc: "2.0";
  /** null answers a message whose id could not be read. */
  id: RpcId | null;
  error: JsonRpcErrorDetail;
}

export type JsonRpcMessage =
  | JsonRpcRequest
  | JsonRpcNotification
  | JsonRpcSuccess
  | JsonRpcFailure;

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return "method" in message && "id" in message;
}

export function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
  return "method" in message && !("id" in message);
}

export function isSuccess(message: JsonRpcMessage): message is JsonRpcSuccess {
  return "result" in message && !("method" in message);
}

export function isFailure(message: JsonRpcMessage): message is JsonRpcFailure {
  return "error" in message && !("method" in message) && !("result" in message);
}

/**
 * The message that a parsed value is. Throws INVALID_REQUEST with `details.id` set to the id of the
 * request where one can be read, so that an answer can name it.
 */
export function toMessage(value: unknown): JsonRpcMessage {
  if (typeof value !== "object" || value === null) throw invalid("it is not an object", null);
  if (Array.isArray(value)) throw invalid("batches are not supported", null);
  const message = value as Record<string, unknown>;
  const id = isId(message.id) ? message.id : null;
  if (message.jsonrpc !== "2.0") throw invalid('jsonrpc must be "2.0"', id);
  if ("method" in message) {
    if (typeof message.method !== "string") throw invalid("method must be a string", id);
    if (!("id" in message)) {
      return { jsonrpc: "2.0", method: message.method, params: message.params };
    }
    if (id === null) throw invalid("id must be a string or a number", null);
    return { jsonrpc: "2.0", id, method: message.method, params: message.params };
  }
  if ("result" in message) {
    if (id === null) throw invalid("id must be a string or a number", null);
    return { jsonrpc: "2.0", id, result: message.result };
  }
  const error = message.error as Record<string, unknown> | null | undefined;
  if (typeof error === "object" && error !== null) {
    if (id === null && message.id !== null) throw invalid("id must be a string or a number", null);
    if (typeof error.code !== "number" || typeof error.message !== "string") {
      throw invalid("error must have a code and a message", id);
    }
    return {
      jsonrpc: "2.0",
      id,
      error: {
        code: error.code,
        message: error.message,
        ...("data" in error ? { data: error.data } : {}),
      },
    };
  }
  throw invalid("it has no method, result or error", id);
}

function isId(value: unknown): value is RpcId {
  return typeof value === "string" || typeof value === "number" && Number.isFinite(value);
}

function invalid(reason: string, id: RpcId | null): PaddockError {
  return new PaddockError("INVALID_REQUEST", {
    message: `The message is not a valid request: ${reason}.`,
    details: { id },
  });
}

/**
 * The response that tells a peer about an error of the protocol itself. What a method's own work
 * threw travels as `{ error }` inside a result instead (`Codec.encodeFailure`).
 */
export function errorResponse(id: RpcId | null, error: unknown): JsonRpcFailure {
  const known = PaddockError.from(error);
  const { message, id: _, ...data } = known.toJSON();
  return { jsonrpc: "2.0", id, error: { code: known.rpcCode, message, data } };
}

/** The id that `toMessage` could still read from the message it refused. */
export function idOfRefused(error: unknown): RpcId | null {
  const id = error instanceof PaddockError ? error.details?.id : undefined;
  return isId(id) ? id : null;
}

/** WebSocket close codes in use. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  messageTooBig: 1009,
  internalError: 1011,
  /** The sandbox lives, and can be connected to again at once. */
  comeBack: 4010,
  /** The sandbox is paused; who connects to it resumes it. */
  paused: 4011,
} as const;

/** Subprotocol of our own client: rich values and binary stream frames. */
export const SUBPROTOCOL = "paddock.v1";
