import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { decodeBase64, encodeBase64 } from "./base64.ts";

// A tenth of the full package's size: the agent of every sandbox holds this in memory. Messages are
// not part of it, so English is put in here.
z.config(en());

/**
 * The building blocks that a method's schema is written with. There is one kit for each form that
 * parameters and results take; the same definition made with each of them gives the three schemas
 * of a method, and all three have the same decoded type.
 */
function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return z.int().check(z.minimum(minimum), z.maximum(maximum));
}

const plainKit = {
  string: z.string(),
  /** Whether a path is any good is for the file system to say, in its own error classes. */
  path: z.string(),
  boolean: z.boolean(),
  /** Pids, stream ids, abort ids, handles. */
  id: integer(0),
  count: integer(0),
  port: integer(1, 65_535),
  /** Columns or rows of a terminal: what the kernel's structure holds. */
  terminalSize: integer(1, 65_535),
  /** Of `chmod(path, info.mode)` the file system takes the bits it knows. */
  mode: integer(0, 0xffff_ffff),
  uid: integer(0, 0xffff_ffff),
  number: z.number(),
  stringMap: z.record(z.string(), z.string()),
  headers: z.array(z.tuple([z.string(), z.string()])),
  bytes: z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes"),
  date: z.date(),
  /** Wire forms differ (client 0.2 may send seconds); decoded it is a Date. */
  time: z.date(),
  offset: z.union([z.int(), z.bigint()]),
  regexp: z.custom<RegExp>((value) => value instanceof RegExp, "must be a RegExp"),
  /** What a REPL's code evaluates to, and what its functions are called with. */
  value: z.unknown(),
  values: z.array(z.unknown()),
  /** The result of a method that returns nothing. */
  nothing: z.undefined(),
  json: z.record(z.string(), z.unknown()),
  oneOf: <const T extends readonly [string, ...string[]]>(names: T) => z.enum(names),
  whence: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  list: <T extends z.ZodMiniType>(item: T) => z.array(item),
  object: <T extends z.core.$ZodShape>(shape: T) => z.strictObject(shape),
  either: <A extends z.ZodMiniType, B extends z.ZodMiniType>(a: A, b: B) => z.union([a, b]),
  optional: <T extends z.ZodMiniType>(schema: T) => z.optional(schema),
  nullable: <T extends z.ZodMiniType>(schema: T) => z.nullable(schema),
  /** Fields that client 0.2 calls by another name: ours first. */
  renamed: <T extends z.ZodMiniType>(schema: T, _names: Record<string, string>) => schema,
};

export type Kit = typeof plainKit;

/** Checks decoded values. */
export const decodedKit: Kit = plainKit;

const wireDate = z.codec(z.string(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

/** Absent, undefined and null are one thing to the published clients' optional fields. */
function wireOptional(schema: z.ZodMiniType): z.ZodMiniType {
  return z.codec(z.nullish(schema), z.any(), {
    decode: (value) => value ?? undefined,
    encode: (value) => value,
  });
}

function wireNullable(schema: z.ZodMiniType): z.ZodMiniType {
  return z.codec(z.nullish(schema), z.any(), {
    decode: (value) => value ?? null,
    encode: (value) => value ?? null,
  });
}

/** `/api/v3`: JSON, bytes in base64, dates as ISO text. */
export const jsonKit: Kit = {
  ...plainKit,
  bytes: z.codec(z.string(), plainKit.bytes, {
    decode(text, context) {
      try {
        return decodeBase64(text);
      } catch {
        context.issues.push({ code: "custom", message: "must be base64", input: text });
        return z.NEVER;
      }
    },
    encode: (bytes) => encodeBase64(bytes as Uint8Array),
  }),
  date: wireDate,
  time: wireDate,
  offset: z.union([
    z.int(),
    z.codec(z.string().check(z.regex(/^-?\d{1,20}$/)), z.bigint(), {
      decode: (text) => BigInt(text),
      encode: (value) => value.toString(),
    }),
  ]),
  regexp: z.codec(z.strictObject({ source: z.string(), flags: z.string() }), plainKit.regexp, {
    decode({ source, flags }, context) {
      try {
        return new RegExp(source, flags);
      } catch {
        context.issues.push({
          code: "custom",
          message: "must be a regular expression",
          input: source,
        });
        return z.NEVER;
      }
    },
    encode: (regexp) => ({ source: regexp.source, flags: regexp.flags }),
  }),
  nothing: z.codec(z.null(), z.undefined(), { decode: () => undefined, encode: () => null }),
  optional: wireOptional,
  nullable: wireNullable,
} as unknown as Kit;

/** `/api/v2`: devalue carries most types itself. */
export const devalueKit: Kit = {
  ...plainKit,
  time: z.codec(z.union([z.number(), z.date()]), z.date(), {
    decode: (value) => typeof value === "number" ? new Date(value * 1000) : value,
    encode: (value) => value,
  }),
  optional: wireOptional,
  nullable: wireNullable,
  renamed: (schema: z.ZodMiniType, names: Record<string, string>) => {
    const shape = { ...(schema as z.ZodMiniObject).shape };
    for (const [ours, theirs] of Object.entries(names)) {
      shape[theirs] = shape[ours];
      delete shape[ours];
    }
    return z.codec(z.strictObject(shape), z.any(), {
      decode: (value) => renameKeys(value, names, 1),
      encode: (value) => renameKeys(value, names, 0) as never,
    });
  },
} as unknown as Kit;

function renameKeys(
  value: Record<string, unknown>,
  names: Record<string, string>,
  from: 0 | 1,
): Record<string, unknown> {
  const renamed = { ...value };
  for (const pair of Object.entries(names)) {
    if (!(pair[from] in renamed)) continue;
    renamed[pair[1 - from]] = renamed[pair[from]];
    delete renamed[pair[from]];
  }
  return renamed;
}
