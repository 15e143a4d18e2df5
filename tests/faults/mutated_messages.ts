import * as devalue from "devalue";
import fc from "fast-check";
import { costlyParams, notifications, validParams } from "./valid_params.ts";

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "..", "../../etc", "\0", "a\0b", "__proto__", "constructor", "-1", "NaN"),
  fc.string({ minLength: 5_000, maxLength: 20_000 }),
).map((value) => value === "/" ? "//tmp" : value);

const odd = fc.oneof(
  text,
  fc.constantFrom<unknown>(null, true, false, 0, -0, -1, 1.5, 1e308, 2 ** 53, -(2 ** 31), [], {}),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant({ __proto__: null, toString: 1, then: 1 }),
);

/** One step of damage to a JSON value: replace, remove, add or repeat something in it. */
type Damage = (value: unknown) => unknown;

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("replace", "remove", "add", "nest"),
  // Which of the places in the value is hit, as a fraction of how many there are.
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  value: odd,
  key: fc.oneof(text, fc.constantFrom("path", "options", "streamId", "__proto__", "id")),
}).map(({ kind, at, value, key }) => (root) => {
  const copy = structuredClone(root);
  const places = placesOf(copy);
  if (places.length === 0) return value;
  const { holder, name } = places[Math.floor(at * places.length)];
  if (kind === "replace") holder[name] = value;
  else if (kind === "remove") delete holder[name];
  else if (kind === "nest") holder[name] = { [name]: holder[name] };
  else Object.defineProperty(holder, key, { value, enumerable: true, configurable: true });
  return copy;
});

function placesOf(value: unknown): { holder: Record<string, unknown>; name: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((name) => [
    { holder, name },
    ...placesOf(holder[name]),
  ]);
}

const seeds = (table: typeof validParams) =>
  Object.entries(table).flatMap(([method, list]) => list.map((params) => ({ method, params })));

const request = fc.oneof(
  { weight: 200, arbitrary: fc.constantFrom(...seeds(validParams)) },
  { weight: 1, arbitrary: fc.constantFrom(...seeds(costlyParams)) },
).chain(({ method, params }) =>
  fc.integer({ min: 1, max: 900_000 }).map((id) => ({ jsonrpc: "2.0", id, method, params }))
);
const notification = fc.constantFrom(...seeds(notifications))
  .map(({ method, params }) => ({ jsonrpc: "2.0", method, params }));

const unknownMethod = fc.tuple(request, text).map(([message, method]) => ({ ...message, method }));

const whole = fc.oneof(
  { weight: 20, arbitrary: request },
  { weight: 1, arbitrary: unknownMethod },
  { weight: 4, arbitrary: notification },
);

/** A valid message, damaged in its parameters, its envelope or its text. */
export const mutatedMessage: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(whole, fc.array(damage, { minLength: 1, maxLength: 3 }))
      .map(([message, steps]) =>
        JSON.stringify({
          ...message,
          params: steps.reduce((value, step) => step(value), message.params as unknown),
        })
      ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(whole, damage).map(([message, step]) => JSON.stringify(step(message))),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(whole, fc.double({ min: 0, max: 1, noNaN: true }), text)
      .map(([message, at, inserted]) => {
        const json = JSON.stringify(message);
        const cut = Math.floor(at * json.length);
        return json.slice(0, cut) + inserted + json.slice(cut + inserted.length);
      }),
  },
  { weight: 1, arbitrary: fc.oneof(text, fc.json()) },
).map((message) => message === undefined ? "undefined" : message);

/** What only devalue's form of a message can hold: tagged values, references, holes, circles. */
const tagged = fc.oneof(
  fc.tuple(
    fc.constantFrom("Date", "Set", "Map", "RegExp", "Object", "BigInt", "null", "Error", "URL"),
    fc.oneof(text, fc.integer({ min: -9, max: 12 })),
  ),
  fc.tuple(
    fc.constantFrom("Uint8Array", "ArrayBuffer", "Float64Array", "BigInt64Array", "DataView"),
    fc.oneof(fc.base64String({ maxLength: 40 }), text, fc.integer({ min: -9, max: 12 })),
  ),
  fc.integer({ min: -9, max: 20 }),
  fc.constantFrom<unknown>(["Map", 0, 0], ["Set", 0], [0, 0], { a: 0 }, ["Array", 2 ** 31], [
    -7,
    4_000_000_000,
    0,
    1,
  ]),
);

const taggedDamage: fc.Arbitrary<Damage> = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  value: fc.oneof({ weight: 3, arbitrary: tagged }, { weight: 1, arbitrary: odd }),
}).map(({ at, value }) => (root) => {
  const copy = structuredClone(root);
  const places = placesOf(copy);
  if (places.length === 0) return value;
  const { holder, name } = places[Math.floor(at * places.length)];
  holder[name] = value;
  return copy;
});

/** What devalue itself refuses to write travels as plain JSON: wrong too. */
function inDevalue(message: unknown): string {
  try {
    return devalue.stringify(message);
  } catch {
    return JSON.stringify(message);
  }
}

/** The same for client 0.2's encoding: damage to the message, and to the form it travels in. */
export const mutatedV2Message: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(whole, damage).map(([message, step]) =>
      inDevalue({ ...message, params: step(message.params) })
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(whole, fc.array(taggedDamage, { minLength: 1, maxLength: 3 }))
      .map(([message, steps]) =>
        JSON.stringify(
          steps.reduce((value, step) => step(value), JSON.parse(devalue.stringify(message))),
        )
      ),
  },
  { weight: 1, arbitrary: mutatedMessage },
).map((message) => message === undefined ? "undefined" : message);
