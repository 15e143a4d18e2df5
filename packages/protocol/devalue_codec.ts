import { parse, stringify } from "devalue";
import { decode, encode } from "zod/mini";
import {
  badResult,
  decodeNotificationWith,
  invalidParams,
  type NotificationValues,
  parseError,
  requireMethod,
  splitResult,
  unexpectedAnswer,
} from "./_codec_parts.ts";
import { encodeBase64 } from "./base64.ts";
import { type Codec, type Notification, notificationMethods } from "./codec.ts";
import { devalueErrorReducers, devalueErrorRevivers } from "./devalue_error.ts";
import { isFailure, type JsonRpcMessage, type JsonRpcNotification, toMessage } from "./json_rpc.ts";
import { devalueMethods, type MethodInput, type MethodName, type MethodOutput } from "./methods.ts";
import {
  deserializeValue,
  notSerializable,
  reviveBigInt,
  SerializedValue,
  tagOf,
  tolerantOperations,
} from "./rich_value.ts";
import { asError, isError } from "./wire_error.ts";

const MAX_HOLES = 1_000_000;

/**
 * Client 0.2 has devalue 5.3, which reads less than the version here writes: no sparse arrays, no
 * views into a larger buffer, no DataView, no boxed numbers, and Temporal only where the platform
 * has it. These write what it reads.
 */
const operations = {
  ...tolerantOperations,
  typeOf(value: unknown): unknown {
    const type = tolerantOperations.typeOf(value);
    if (type !== "object") return type;
    const tag = tagOf(value as object);
    if (isBoxed(tag)) return tag.toLowerCase();
    return tag.startsWith("Temporal.") ? "string" : type;
  },
  toPrimitive(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    return isBoxed(tagOf(value)) ? value.valueOf() : String(value);
  },
  tagOf(value: object): string {
    const tag = tagOf(value);
    if (tag === "DataView") return "Uint8Array";
    return tag === "Float16Array" ? "Array" : tag;
  },
  indicesOf(array: unknown[]): unknown {
    if (array.length > MAX_HOLES) throw new RangeError("an array has too many holes");
    // Claiming that every slot is filled makes devalue write holes one by one.
    return { length: array.length };
  },
};

function isBoxed(tag: string): boolean {
  return tag === "Number" || tag === "String" || tag === "Boolean" || tag === "BigInt";
}

/** Devalue 5.3 names the part of a buffer that a view shows by first and last index. */
function fromViewInfo(tag: string, buffer: unknown, first: unknown, end: unknown): unknown {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError("not an ArrayBuffer");
  const View = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => Uint8Array>)[
    tag
  ];
  const view = new View(buffer);
  return first === undefined ? view : view.subarray(Number(first), Number(end));
}

/** Its length is a number in the message, not bounded by the message's size as all else is. */
function createSparseArray(length: number): unknown[] {
  if (length > MAX_HOLES) throw new RangeError("an array has too many holes");
  const array: unknown[] = [];
  if (length > 0) {
    // Reached from its far end, an array gets no storage for what lies before.
    array[length - 1] = undefined;
    delete array[length - 1];
  }
  return array;
}

const revivers = { ...devalueErrorRevivers, BigInt: reviveBigInt };

const notificationValues: NotificationValues = {
  bytes(raw) {
    if (raw instanceof Uint8Array) return raw;
    throw new TypeError("not bytes");
  },
  error(raw) {
    if (raw === null || raw === undefined) return null;
    // References let a small message stand for a huge value: nothing may spell it out.
    const isValue = typeof raw === "object" && !isError(raw);
    return asError(isValue ? "a value that is no error" : raw);
  },
};

function write(message: unknown): string {
  try {
    // deno-lint-ignore no-explicit-any
    return stringify(message, devalueErrorReducers(), { operations: operations as any });
  } catch (error) {
    throw notSerializable(error);
  }
}

/** `/api/v2`, as client 0.2 speaks it. */
export const devalueCodec: Codec = {
  name: "devalue",

  decodeMessage(text: string): JsonRpcMessage {
    let value: unknown;
    try {
      // deno-lint-ignore no-explicit-any
      value = parse(text, revivers, { operations: { fromViewInfo, createSparseArray } as any });
    } catch (error) {
      throw parseError(error);
    }
    return toMessage(value);
  },

  encodeMessage(message: JsonRpcMessage): string {
    if (!isFailure(message) || message.id === null) return write(message);
    // Client 0.2 takes a response without `result` for a request and lets its caller wait forever.
    // Given both, it finds the result's error; a plain JSON-RPC client finds `error`.
    const error = Object.assign(new Error(message.error.message), { code: message.error.code });
    return write({ ...message, result: { error } });
  },

  decodeParams<M extends MethodName>(method: M, params: unknown): MethodInput<M> {
    requireMethod(method);
    try {
      return decode(devalueMethods[method].input, params ?? {}) as MethodInput<M>;
    } catch (error) {
      throw invalidParams(method, error);
    }
  },

  encodeResult<M extends MethodName>(method: M, value: MethodOutput<M>): { ok: unknown } {
    if (value instanceof SerializedValue) return { ok: deserializeValue(value) };
    try {
      return { ok: encode(devalueMethods[method].output, value) };
    } catch (error) {
      throw badResult(method, error);
    }
  },

  encodeFailure: (thrown: unknown) => ({ error: asError(thrown) }),

  encodeParams<M extends MethodName>(method: M, input: MethodInput<M>): unknown {
    try {
      return encode(devalueMethods[method].input, input);
    } catch (error) {
      throw invalidParams(method, error);
    }
  },

  decodeResult<M extends MethodName>(method: M, result: unknown): MethodOutput<M> {
    const split = splitResult(result);
    if (!split) throw unexpectedAnswer(method);
    if (split.kind === "error") throw isError(split.error) ? split.error : asError(split.error);
    try {
      return decode(devalueMethods[method].output, split.value as never) as MethodOutput<M>;
    } catch (error) {
      throw unexpectedAnswer(method, error);
    }
  },

  encodeNotification(notification: Notification): string {
    const method = notificationMethods[notification.type];
    const { type: _, ...params } = notification;
    if (notification.type === "stream.enqueue") {
      const data = encodeBase64(notification.data);
      return `[{"jsonrpc":1,"method":2,"params":3},"2.0","${method}",{"streamId":4,"data":5},` +
        `${notification.streamId},["Uint8Array",6],["ArrayBuffer","${data}"]]`;
    }
    const shown = notification.type === "stream.cancel"
      // Client 0.2 reads the reason under another name than it sends it.
      ? { ...params, cause: notification.reason ?? undefined }
      : notification.type === "stream.error"
      ? { ...params, error: notification.error ?? undefined }
      : params;
    return write({ jsonrpc: "2.0", method, params: shown });
  },

  decodeNotification: (message: JsonRpcNotification) =>
    decodeNotificationWith(notificationValues, message),
};
