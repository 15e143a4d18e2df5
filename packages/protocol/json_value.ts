import { PaddockError } from "./paddock_error.ts";
import { keysOf, tagOf } from "./rich_value.ts";
import { isError } from "./wire_error.ts";

const MAX_DEPTH = 500;

/**
 * Any value as JSON can carry it, for clients of `/api/v3` that know nothing richer. `JSON.stringify`
 * decides where it has an opinion; where it throws or loses everything, this does better:
 *
 * | value | becomes |
 * |---|---|
 * | undefined, function, symbol | null (left out as an object's property) |
 * | NaN, Infinity | null |
 * | bigint | its decimal digits as a string |
 * | Date, URL, anything with toJSON | what toJSON says (an invalid Date: null) |
 * | Map | an object when all keys are strings, else an array of entries |
 * | Set | an array |
 * | typed array, ArrayBuffer, DataView | an array of numbers (bigints: strings) |
 * | RegExp | its source text, `/a/g` |
 * | Error | `{ name, message, stack }` and its own properties |
 * | class instance | its own enumerable properties |
 * | boxed primitive | the primitive |
 * | a property named `__proto__` | left out: readers that merge objects trip over it |
 *
 * A value that contains itself is refused with VALUE_NOT_SERIALIZABLE.
 */
export function toJsonValue(value: unknown): unknown {
  return convert(value, "", new Set()) ?? null;
}

function convert(value: unknown, key: string, ancestors: Set<object>): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return value.toString();
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (ancestors.has(value)) {
    throw refuse("it contains itself, which JSON cannot carry");
  }
  if (ancestors.size >= MAX_DEPTH) throw refuse(`it is nested more than ${MAX_DEPTH} deep`);
  ancestors.add(value);
  const converted = convertObject(value, key, ancestors);
  ancestors.delete(value);
  return converted;
}

function convertObject(value: object, key: string, ancestors: Set<object>): unknown {
  const tag = tagOf(value);
  const each = (items: Iterable<unknown>): unknown[] =>
    Array.from(items, (item, index) => convert(item, String(index), ancestors) ?? null);
  const toJson = read(value, "toJSON");
  if (typeof toJson === "function") {
    if (tag === "Date" && Number.isNaN((value as Date).getTime())) return null;
    return convert(toJson.call(value, key), key, ancestors);
  }
  if (isError(value)) {
    return {
      name: read(value, "name"),
      message: read(value, "message"),
      stack: read(value, "stack"),
      ...properties(value, ancestors),
    };
  }
  switch (tag) {
    case "Array":
      return each(value as unknown[]);
    case "Set":
      return each(value as Set<unknown>);
    case "Map": {
      const entries = [...value as Map<unknown, unknown>];
      return entries.every(([name]) => typeof name === "string")
        ? fromEntries(entries as [string, unknown][], ancestors)
        : each(entries);
    }
    case "RegExp":
    case "URLSearchParams":
      return String(value);
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
      return convert(value.valueOf(), key, ancestors);
    case "ArrayBuffer":
      return Array.from(new Uint8Array(value as ArrayBuffer));
    case "DataView": {
      const view = value as DataView;
      return Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    }
    default:
      if (ArrayBuffer.isView(value)) return each(value as unknown as Iterable<unknown>);
      return properties(value, ancestors);
  }
}

function properties(value: object, ancestors: Set<object>): Record<string, unknown> {
  return fromEntries(
    keysOf(value).map((key): [string, unknown] => [key, read(value, key)]),
    ancestors,
  );
}

function fromEntries(
  entries: Iterable<[string, unknown]>,
  ancestors: Set<object>,
): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    const converted = convert(value, key, ancestors);
    if (converted !== undefined && key !== "__proto__") object[key] = converted;
  }
  return object;
}

function read(target: object, key: string): unknown {
  try {
    return (target as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function refuse(reason: string): PaddockError {
  return new PaddockError("VALUE_NOT_SERIALIZABLE", {
    message: `The value cannot be sent: ${reason}.`,
  });
}
