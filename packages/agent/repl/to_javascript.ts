import { stripTypeScriptTypes } from "node:module";
import { rewriteModules } from "./rewrite_modules.ts";

/**
 * What a REPL runs for the TypeScript or JavaScript it is given. Code that is neither is returned
 * as it is: the engine says best what is wrong with it.
 */
export function toJavaScript(code: string): string {
  const trimmed = code.trim();
  if (trimmed.startsWith("{") && trimmed.endsWith("}")) {
    // Whoever evaluates `{ a: 1 }` means an object, not a block with a label in it.
    const asObject = withoutTypes(`(${trimmed})`);
    if (asObject !== undefined) return rewriteModules(asObject);
  }
  return rewriteModules(withoutTypes(code) ?? code);
}

/** For source text that must be one expression, such as a function's. */
export function toExpression(code: string): string {
  const expression = `(${code.trim().replace(/;$/, "")}\n)`;
  return rewriteModules(withoutTypes(expression) ?? expression);
}

function withoutTypes(code: string): string | undefined {
  try {
    return stripTypeScriptTypes(code, { mode: "strip" });
  } catch {
    // Enums, namespaces and parameter properties need more than blanks in place of types.
  }
  try {
    return stripTypeScriptTypes(code, { mode: "transform" });
  } catch {
    return undefined;
  }
}
