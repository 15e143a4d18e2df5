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
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { type Codec, type Notification, notificationMethods } from "./codec.ts";
import { type JsonRpcMessage, type JsonRpcNotification, toMessage } from "./json_rpc.ts";
import { toJsonValue } from "./json_value.ts";
import { jsonMethods, type MethodInput, type MethodName, type MethodOutput } from "./methods.ts";
import { PaddockError } from "./paddock_error.ts";
import {
  deserializeValue,
  notSerializable,
  SerializedValue,
  serializeValue,
} from "./rich_value.ts";
import { fromWireError, toWireError } from "./wire_error.ts";

const notificationValues: NotificationValues = {
  bytes(raw) {
    if (typeof raw !== "string") throw new TypeError("not base64");
    return decodeBase64(raw);
  },
  error: (raw) => raw === null || raw === undefined ? null : fromWireError(raw),
};

/** How values that a REPL takes and gives travel: what JSON can carry, or anything. */
interface ValueForm {
  name: "json" | "rich";
  encodeOutput(value: unknown): unknown;
  decodeOutput(raw: unknown): unknown;
  encodeArguments(values: unknown[]): unknown;
  decodeArguments(raw: unknown): unknown;
}

const lossy: ValueForm = {
  name: "json",
  encodeOutput: (value) =>
    toJsonValue(value instanceof SerializedValue ? deserializeValue(value) : value),
  decodeOutput: (raw) => raw,
  encodeArguments: (values) => values.map(toJsonValue),
  decodeArguments: (raw) => raw,
};

/** Key below which the rich form puts devalue's text. */
const RICH_KEY = "$devalue";

function readRich(raw: unknown): SerializedValue | undefined {
  const text = typeof raw === "object" && raw !== null
    ? (raw as Record<string, unknown>)[RICH_KEY]
    : undefined;
  return typeof text === "string" ? new SerializedValue(text) : undefined;
}

const rich: ValueForm = {
  name: "rich",
  encodeOutput: (value) => ({ [RICH_KEY]: serializeValue(value).devalue }),
  decodeOutput(raw) {
    const serialized = readRich(raw);
    if (!serialized) throw unexpectedAnswer("denoReplEval");
    return deserializeValue(serialized);
  },
  encodeArguments: (values) => ({ [RICH_KEY]: serializeValue(values).devalue }),
  decodeArguments(raw) {
    const serialized = readRich(raw);
    if (!serialized) return raw;
    try {
      return deserializeValue(serialized);
    } catch (error) {
      throw new PaddockError("INVALID_PARAMS", {
        message: "denoReplCall: args: could not be read",
        field: "args",
        cause: error,
      });
    }
  },
};

const valueMethods: ReadonlySet<MethodName> = new Set<MethodName>([
  "denoReplEval",
  "denoReplCall",
  "paddock.evaluated",
]);

function carriesValue(method: MethodName): boolean {
  return valueMethods.has(method);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function createJsonCodec(form: ValueForm): Codec {
  return {
    name: form.name,

    decodeMessage(text: string): JsonRpcMessage {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw parseError(error);
      }
      return toMessage(value);
    },

    encodeMessage(message: JsonRpcMessage): string {
      try {
        return JSON.stringify(message);
      } catch (error) {
        throw notSerializable(error);
      }
    },

    decodeParams<M extends MethodName>(method: M, params: unknown): MethodInput<M> {
      requireMethod(method);
      let raw = params ?? {};
      if (method === "denoReplCall" && isObject(raw)) {
        raw = { ...raw, args: form.decodeArguments(raw.args) };
      }
      try {
        return decode(jsonMethods[method].input, raw) as MethodInput<M>;
      } catch (error) {
        throw invalidParams(method, error);
      }
    },

    encodeResult<M extends MethodName>(method: M, value: MethodOutput<M>): { ok: unknown } {
      if (carriesValue(method)) return { ok: form.encodeOutput(value) };
      try {
        return { ok: encode(jsonMethods[method].output, value) ?? null };
      } catch (error) {
        throw badResult(method, error);
      }
    },

    encodeFailure: (thrown: unknown) => ({ error: toWireError(thrown) }),

    encodeParams<M extends MethodName>(method: M, input: MethodInput<M>): unknown {
      try {
        const params = encode(jsonMethods[method].input, input) as Record<string, unknown>;
        return method === "denoReplCall"
          ? { ...params, args: form.encodeArguments(params.args as unknown[]) }
          : params;
      } catch (error) {
        throw invalidParams(method, error);
      }
    },

    decodeResult<M extends MethodName>(method: M, result: unknown): MethodOutput<M> {
      const split = splitResult(result);
      if (!split) throw unexpectedAnswer(method);
      if (split.kind === "error") throw fromWireError(split.error);
      if (carriesValue(method)) return form.decodeOutput(split.value) as MethodOutput<M>;
      try {
        return decode(jsonMethods[method].output, split.value as never) as MethodOutput<M>;
      } catch (error) {
        throw unexpectedAnswer(method, error);
      }
    },

    encodeNotification(notification: Notification): string {
      const method = notificationMethods[notification.type];
      if (notification.type === "stream.enqueue") {
        // By far the most bytes: nothing here needs JSON.stringify to look at it again.
        const data = encodeBase64(notification.data);
        return `{"jsonrpc":"2.0","method":"${method}","params":{"streamId":${notification.streamId},"data":"${data}"}}`;
      }
      return JSON.stringify({ jsonrpc: "2.0", method, params: notificationParams(notification) });
    },

    decodeNotification: (message: JsonRpcNotification) =>
      decodeNotificationWith(notificationValues, message),
  };
}

function notificationParams(notification: Notification): Record<string, unknown> {
  const { type: _, ...params } = notification;
  if (notification.type === "stream.error") {
    return { ...params, error: notification.error && toWireError(notification.error) };
  }
  if (notification.type === "stream.cancel") {
    return { ...params, reason: notification.reason && toWireError(notification.reason) };
  }
  return params;
}

/** `/api/v3`, as clients 0.10 and 0.13 speak it. */
export const jsonCodec: Codec = createJsonCodec(lossy);

/** `/api/v3` with the subprotocol `paddock.v1`: REPL values are any JavaScript values. */
export const richCodec: Codec = createJsonCodec(rich);
