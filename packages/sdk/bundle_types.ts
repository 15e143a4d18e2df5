import { join } from "node:path";

/** A top-level declaration of a declaration file. */
interface Declaration {
  name: string;
  file: string;
  /** With its comment, without `export`. */
  text: string;
}

/**
 * One declaration file out of many: what the entry exports and, in turn, whatever that mentions. Every
 * name may be declared once; what is marked `@internal` is left out.
 */
export async function bundleTypes(folder: string, entry: string): Promise<string> {
  const declared = new Map<string, Declaration>();
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(join(folder, name));
    if (!name.endsWith(".d.ts") || name === `${entry}.d.ts`) continue;
    for (const declaration of splitDeclarations(text, name)) {
      const { text: added } = declaration;
      const known = declared.get(declaration.name);
      if (known && known.file !== name) known.text += AMBIGUOUS;
      // Overloads of a function belong together.
      else if (known) known.text += `\n${added}`;
      else declared.set(declaration.name, declaration);
    }
  }
  const exported = readExports(await Deno.readTextFile(join(folder, `${entry}.d.ts`)));
  const used = new Set<string>();
  const wanted = exported.map(({ local }) => local);
  while (wanted.length > 0) {
    const name = wanted.pop()!;
    const declaration = declared.get(name);
    if (!declaration || used.has(name)) continue;
    if (declaration.text.includes(AMBIGUOUS)) throw new Error(`${name} is declared in two files`);
    used.add(name);
    wanted.push(...(withoutComments(declaration.text).match(/[A-Za-z_$][\w$]*/g) ?? []));
  }
  const missing = exported.find(({ local }) => !used.has(local));
  if (missing) throw new Error(`${missing.local} is exported and not declared`);
  const body = [...used].sort().map((name) => declared.get(name)!.text).join("\n\n");
  const list = exported.map(({ local, type, as }) =>
    `${type ? "type " : ""}${local}${as === local ? "" : ` as ${as}`}`
  );
  return `${body}\n\nexport { ${list.join(", ")} };\n`;
}

const AMBIGUOUS = "\n/* ambiguous */";

function splitDeclarations(source: string, file: string): Declaration[] {
  const text = source
    .replace(/^import [\s\S]*?;\n/gm, "")
    .replace(/^export \{[^}]*\};?\n?/gm, "")
    // Nobody outside may call these constructors, and their types are nobody's business.
    .replace(/\/\*\* @internal \*\/\s*constructor\([^;]*\);/g, "protected constructor();");
  const declarations: Declaration[] = [];
  let current = "";
  let depth = 0;
  for (const line of text.split("\n")) {
    if (current === "" && line.trim() === "") continue;
    current += (current === "" ? "" : "\n") + line;
    const code = line.replace(/\/\*.*?\*\/|\/\/.*$|"[^"]*"/g, "");
    if (!isComment(line)) depth += count(code, /[{(\[]/g) - count(code, /[})\]]/g);
    const ended = depth === 0 && !isComment(line) && /[;}]\s*$/.test(code);
    if (!ended) continue;
    const name =
      /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|enum|function|const|let) ([\w$]+)/m
        .exec(withoutComments(current))?.[1];
    if (!name) throw new Error(`${file}: cannot read this declaration:\n${current}`);
    if (!/^\/\*\* @internal \*\//.test(current)) {
      declarations.push({ name, file, text: current.replace(/^export (?!default)/m, "") });
    }
    current = "";
  }
  return declarations;
}

function isComment(line: string): boolean {
  return /^\s*(\/\*\*|\*)/.test(line) && !/\*\/\s*\S/.test(line);
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "");
}

function readExports(text: string): { local: string; as: string; type: boolean }[] {
  return [...text.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, allTypes, names]) =>
    names.split(",").map((name) => name.trim()).filter((name) => name !== "").map((name) => {
      const [local, as = local] = name.replace(/^type /, "").split(" as ");
      return { local, as, type: allTypes !== undefined || name.startsWith("type ") };
    })
  );
}
