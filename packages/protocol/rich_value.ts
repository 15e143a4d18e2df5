import { parse, stringify } from "devalue";
import { PaddockError } from "./paddock_error.ts";
import { fromWireError, isError, toWireError } from "./wire_error.ts";

/**
 * A JavaScript value that is already in devalue's text form. A codec that carries that form passes
 * it on without reading it; the others read it first.
 */
export class SerializedValue {
  constructor(readonly devalue: string) {}
}

const BRANDED: ReadonlySet<string> = new Set([
  "Number",
  "String",
  "Boolean",
  "BigInt",
  "Date",
  "URL",
  "URLSearchParams",
  "RegExp",
  "Set",
  "Map",
  "ArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Float16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
]);

/** The kind of a value by what it is, not by what its `Symbol.toStringTag` claims. */
export function tagOf(value: object): string {
  try {
    return brandOf(value);
  } catch {
    // A proxy whose traps throw.
    return "Object";
  }
}

function brandOf(value: object): string {
  if (Array.isArray(value)) return "Array";
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (BRANDED.has(tag)) {
    const constructor = (globalThis as Record<string, unknown>)[tag];
    return typeof constructor === "function" && value instanceof constructor ? tag : "Object";
  }
  if (tag.startsWith("Temporal.")) {
    const { Temporal } = globalThis as unknown as { Temporal?: Record<string, unknown> };
    const constructor = Temporal?.[tag.slice(9)];
    return typeof constructor === "function" && value instanceof constructor ? tag : "Object";
  }
  return tag === "Array" ? "Object" : tag;
}

// deno-lint-ignore no-explicit-any
type Any = any;

/** How values that nobody trusts are looked at: never refused for their class, never thrown at. */
export const tolerantOperations = {
  typeOf(value: unknown): Any {
    if (value === null) return "null";
    const type = typeof value;
    return type === "function" || type === "symbol" ? "undefined" : type;
  },
  tagOf,
  isThenable: () => false,
  get(value: Any, key: Any): unknown {
    try {
      return value[key];
    } catch {
      return undefined;
    }
  },
  shapeOf(value: object): Any {
    const keys = keysOf(value).filter((key) => {
      if (key === "__proto__") return false;
      const type = typeof tolerantOperations.get(value, key);
      return type !== "function" && type !== "symbol";
    });
    return { kind: "plain", keys };
  },
  /** Only the visible bytes travel, and only from memory of the value's own. */
  viewInfo(view: Any): Any {
    const exact = view.buffer instanceof ArrayBuffer && view.byteOffset === 0 &&
      view.byteLength === view.buffer.byteLength && view.constructor === globalView(view);
    const buffer = exact
      ? view.buffer
      : new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer;
    return {
      buffer,
      byteOffset: 0,
      byteLength: buffer.byteLength,
      length: view.length,
      bufferByteLength: buffer.byteLength,
    };
  },
};

/** The names of a value's own properties; none when even that throws. */
export function keysOf(value: object): string[] {
  try {
    return Object.keys(value);
  } catch {
    return [];
  }
}

function globalView(view: object): unknown {
  return (globalThis as Record<string, unknown>)[tagOf(view)];
}

const richReducers: Record<string, (value: unknown) => unknown> = {
  Error: (value) => isError(value) && toWireError(value),
};

/**
 * Text form of any value: what has no form (functions, symbols) is left out, class instances become
 * plain objects, cycles stay cycles. Throws VALUE_NOT_SERIALIZABLE for what is nested too deeply.
 */
export function serializeValue(value: unknown): SerializedValue {
  if (value instanceof SerializedValue) return value;
  try {
    return new SerializedValue(
      stringify(value, richReducers, { operations: tolerantOperations as Any }),
    );
  } catch (error) {
    throw notSerializable(error);
  }
}

/** The value a text form stands for. Throws UNEXPECTED_ANSWER for text that is none. */
export function deserializeValue(serialized: SerializedValue): unknown {
  try {
    return parse(serialized.devalue, richRevivers, { operations: boundedOperations as Any });
  } catch (error) {
    throw new PaddockError("UNEXPECTED_ANSWER", {
      message: "The value could not be read.",
      cause: error,
    });
  }
}

const MAX_BIGINT_DIGITS = 100_000;

/** Reading a huge decimal takes time out of proportion to its length. */
export function reviveBigInt(digits: unknown): bigint {
  if (typeof digits !== "string" || digits.length > MAX_BIGINT_DIGITS) {
    throw new RangeError("the bigint is too long");
  }
  return BigInt(digits);
}

const richRevivers: Record<string, (value: unknown) => unknown> = {
  Error: (value) => fromWireError(value),
  BigInt: reviveBigInt,
};

const boundedOperations = {
  /** Without Temporal on this platform, its text is the next best thing. */
  fromStringValue(tag: string, text: string): unknown {
    if (tag === "URL") return new URL(text);
    if (tag === "URLSearchParams") return new URLSearchParams(text);
    const { Temporal } = globalThis as unknown as {
      Temporal?: Record<string, { from(text: string): unknown }>;
    };
    return Temporal?.[tag.slice(9)]?.from(text) ?? text;
  },
};

export function notSerializable(error: unknown): PaddockError {
  if (error instanceof PaddockError) return error;
  const reason = error instanceof RangeError
    ? "it is nested too deeply or too large"
    : error instanceof Error
    ? error.message
    : "it cannot be read";
  return new PaddockError("VALUE_NOT_SERIALIZABLE", {
    message: `The value cannot be sent: ${reason.replace(/\.$/, "")}.`,
    cause: error,
  });
}
