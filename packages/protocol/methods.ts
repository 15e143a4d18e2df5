import type * as z from "zod/mini";
import { fileMethods, handleMethods } from "./_file_methods.ts";
import { processMethods, serviceMethods } from "./_process_methods.ts";
import { decodedKit, devalueKit, jsonKit, type Kit } from "./kit.ts";

const definitions = { ...fileMethods, ...handleMethods, ...processMethods, ...serviceMethods };

type Definitions = typeof definitions;
export type MethodName = keyof Definitions;
export type MethodInput<M extends MethodName> = z.output<ReturnType<Definitions[M]>["input"]>;
export type MethodOutput<M extends MethodName> = z.output<ReturnType<Definitions[M]>["output"]>;

export interface MethodSchemas {
  input: z.ZodMiniType;
  output: z.ZodMiniType;
}

export const methodNames: readonly MethodName[] = Object.keys(definitions) as MethodName[];

export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(definitions, name);
}

/** Schemas are made when a method is first used: an idle agent pays for none. */
function lazily(kit: Kit): { readonly [M in MethodName]: MethodSchemas } {
  const made = {} as { [M in MethodName]: MethodSchemas };
  for (const name of methodNames) {
    let schemas: MethodSchemas | undefined;
    Object.defineProperty(made, name, {
      enumerable: true,
      get: () => schemas ??= definitions[name](kit),
    });
  }
  return made;
}

/** Strict schemas of every method's parameters and result, as decoded values. */
export const methods: { readonly [M in MethodName]: ReturnType<Definitions[M]> } = lazily(
  decodedKit,
) as unknown as { readonly [M in MethodName]: ReturnType<Definitions[M]> };

/** The same as they travel on `/api/v3`; decoding gives the values that `methods` describes. */
export const jsonMethods: { readonly [M in MethodName]: MethodSchemas } = lazily(jsonKit);

/** The same as they travel on `/api/v2`. */
export const devalueMethods: { readonly [M in MethodName]: MethodSchemas } = lazily(devalueKit);
