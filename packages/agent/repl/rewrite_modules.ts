import { parse } from "es-module-lexer/js";

/** Name of the global that rewritten code finds `import` and `meta` in. */
export const HELPER = "$paddock";

interface Edit {
  start: number;
  end: number;
  text: string;
}

/**
 * Module syntax turned into what a script may contain: import statements into awaited calls,
 * `import()` and `import.meta` into the helper's, exports into plain declarations. Code that the
 * lexer cannot read is returned as it is, for the engine to complain about.
 */
export function rewriteModules(code: string): string {
  if (!/\b(?:import|export)\b/.test(code)) return code;
  let found: ReturnType<typeof parse>;
  try {
    found = parse(code);
  } catch {
    return code;
  }
  const [imports, exports] = found;
  const edits: Edit[] = [];
  for (const item of imports) {
    if (item.type === "static") {
      edits.push({ start: item.importStart, end: item.importEnd, text: staticImport(code, item) });
    } else if (item.type === "dynamic") {
      edits.push({
        start: item.importStart,
        end: item.importStart + "import".length,
        text: `${HELPER}.import`,
      });
    } else if (item.type === "import-meta") {
      edits.push({ start: item.importStart, end: item.importEnd, text: `${HELPER}.meta` });
    }
  }
  for (const start of new Set(exports.map((item) => item.exportStart))) {
    edits.push(exportEdit(code, start));
  }
  return apply(code, edits);
}

interface StaticImport {
  start: number;
  importStart: number;
  specifier: string;
  attributes: ReadonlyArray<readonly [string, string]> | null;
}

function staticImport(code: string, item: StaticImport): string {
  const specifier = JSON.stringify(item.specifier);
  const options = item.attributes
    ? `, { with: ${JSON.stringify(Object.fromEntries(item.attributes))} }`
    : "";
  const loaded = `await ${HELPER}.import(${specifier}${options})`;
  const clause = code.slice(item.importStart + "import".length, item.start - 1)
    .replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, " ").trim()
    .replace(/(?:^|\b|(?<=\}))\s*from$/, "").trim();
  if (clause === "") return `void ${loaded}`;
  const [, defaultName, rest] = clause.match(/^([^{*,]*?)\s*(?:,\s*)?([{*][^]*)?$/) ?? [];
  const names = defaultName ? [`default: ${defaultName}`] : [];
  if (rest?.startsWith("*")) {
    const namespace = rest.replace(/^\*\s*as\s+/, "").trim();
    return names.length === 0
      ? `const ${namespace} = ${loaded}`
      : `const ${namespace} = ${loaded}, { ${names.join()} } = ${namespace}`;
  }
  if (rest) {
    for (const part of rest.slice(1, rest.lastIndexOf("}")).split(",")) {
      const [, imported, local] = part.trim().match(/^(.+?)\s+as\s+(\S+)$/) ?? [];
      if (imported) names.push(`${imported}: ${local}`);
      else if (part.trim()) names.push(part.trim());
    }
  }
  return `const { ${names.join(", ")} } = ${loaded}`;
}

function exportEdit(code: string, start: number): Edit {
  const tail = code.slice(start);
  const list = tail.match(
    /^export\s*(?:\{[^}]*\}|\*(?:\s*as\s+\S+)?)(?:\s*from\s*("[^"]*"|'[^']*'))?\s*;?/,
  );
  if (list) {
    const text = list[1] ? `void await ${HELPER}.import(${list[1]});` : "";
    return { start, end: start + list[0].length, text };
  }
  const byDefault = tail.match(/^export\s+default\s+/);
  if (!byDefault) return { start, end: start + "export".length, text: "" };
  const rest = tail.slice(byDefault[0].length);
  const named =
    /^(?:async\s+)?function\s*\*?\s*[\p{ID_Start}$_]|^class\s+(?!extends\b)[\p{ID_Start}$_]/u
      .test(rest);
  return { start, end: start + byDefault[0].length, text: named ? "" : "var $default = " };
}

function apply(code: string, edits: Edit[]): string {
  edits.sort((a, b) => b.start - a.start);
  let result = code;
  let limit = Infinity;
  for (const { start, end, text } of edits) {
    if (end > limit) continue;
    result = result.slice(0, start) + text + result.slice(end);
    limit = start;
  }
  return result;
}
