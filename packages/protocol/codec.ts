import type { JsonRpcMessage, JsonRpcNotification } from "./json_rpc.ts";
import type { MethodInput, MethodName, MethodOutput } from "./methods.ts";

/** A notification as values. `streamId` names a stream of whoever sends the stream's bytes. */
export type Notification =
  | { type: "stream.start"; streamId: number }
  | { type: "stream.enqueue"; streamId: number; data: Uint8Array }
  | { type: "stream.end"; streamId: number }
  | { type: "stream.error"; streamId: number; error: Error | null }
  | { type: "stream.cancel"; streamId: number; reason: Error | null }
  | { type: "deno.watcher.restart"; watcherId: string };

/** One of the encodings on the wire. What is decoded is the same for all of them. */
export interface Codec {
  readonly name: "json" | "devalue" | "rich";
  /** Throws PARSE_ERROR or INVALID_REQUEST (`idOfRefused` gives the request's id if it was read). */
  decodeMessage(text: string): JsonRpcMessage;
  /** For what `encodeResult` and the like returned; throws VALUE_NOT_SERIALIZABLE. */
  encodeMessage(message: JsonRpcMessage): string;

  /** Throws INVALID_PARAMS with the parameter's name as `field`. */
  decodeParams<M extends MethodName>(method: M, params: unknown): MethodInput<M>;
  /** `result` of the response to a call that succeeded. REPL values may be a SerializedValue. */
  encodeResult<M extends MethodName>(method: M, value: MethodOutput<M>): { ok: unknown };
  /** `result` of the response to a call whose work threw. Takes anything thrown. */
  encodeFailure(thrown: unknown): { error: unknown };

  encodeParams<M extends MethodName>(method: M, input: MethodInput<M>): unknown;
  /** The value, or throws what the other side threw; UNEXPECTED_ANSWER for nonsense. */
  decodeResult<M extends MethodName>(method: M, result: unknown): MethodOutput<M>;

  encodeNotification(notification: Notification): string;
  /** undefined: not a notification this protocol has. Throws INVALID_PARAMS. */
  decodeNotification(message: JsonRpcNotification): Notification | undefined;
}

export const notificationMethods = {
  "stream.start": "$sandbox.stream.start",
  "stream.enqueue": "$sandbox.stream.enqueue",
  "stream.end": "$sandbox.stream.end",
  "stream.error": "$sandbox.stream.error",
  "stream.cancel": "$sandbox.stream.cancel",
  "deno.watcher.restart": "$sandbox.deno.watcher.restart",
} as const satisfies Record<Notification["type"], string>;
