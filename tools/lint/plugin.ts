/// <reference lib="deno.unstable" />
import { fileURLToPath } from "node:url";
import { relative } from "node:path";
import { packageOrderProblem } from "./package_order.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A source of an import or export, with the path of the importing file inside the repository. */
type Visit = (file: string, specifier: string) => string | undefined;

/** A rule over everything that brings another module in: imports, re-exports, `import()`. */
function moduleRule(visit: Visit): Deno.lint.Rule {
  return {
    create(context) {
      const file = relative(root, context.filename);
      const look = (node: Deno.lint.Node, source: { type: string; value?: unknown } | null) => {
        if (source?.type !== "Literal" || typeof source.value !== "string") return;
        const message = visit(file, source.value);
        if (message !== undefined) context.report({ node, message });
      };
      return {
        ImportDeclaration: (node) => look(node, node.source),
        ExportNamedDeclaration: (node) => look(node, node.source),
        ExportAllDeclaration: (node) => look(node, node.source),
        ImportExpression: (node) => look(node, node.source),
      };
    },
  };
}

const privateImport: Visit = (_file, specifier) => {
  const steps = specifier.split("/");
  const name = steps.at(-1) ?? "";
  if (!name.startsWith("_") || !specifier.startsWith(".")) return undefined;
  if (steps.length === 2 && steps[0] === "." || steps.includes("node_modules")) return undefined;
  return `${name} is private to its folder`;
};

const exportAll: Deno.lint.Rule = {
  create: (context) => ({
    ExportAllDeclaration: (node) =>
      context.report({ node, message: "export by name, never with a star" }),
  }),
};

/**
 * A test that is left out says why in its name: `ignore` takes a condition, and the name is a
 * template that shows the reason. What is narrowed down while debugging is not committed.
 */
const silentSkip: Deno.lint.Rule = {
  create: (context) => ({
    CallExpression(node) {
      const callee = memberPath(node.callee);
      if (!/^(Deno\.test|t|test|describe|it)(\.|$)/.test(callee)) return;
      if (/\.(only|ignore|skip|todo)$/.test(callee)) {
        context.report({ node, message: `${callee} is not for committed tests` });
        return;
      }
      for (const argument of node.arguments) {
        if (argument.type === "ObjectExpression") checkOptions(context, argument);
      }
    },
  }),
};

function checkOptions(context: Deno.lint.RuleContext, options: Deno.lint.ObjectExpression): void {
  const value = (name: string) => {
    for (const property of options.properties) {
      if (property.type !== "Property" || property.key.type !== "Identifier") continue;
      if (property.key.name === name) return property.value;
    }
  };
  if (value("only") !== undefined) {
    context.report({ node: options, message: "`only` is not for committed tests" });
  }
  const ignore = value("ignore");
  if (ignore === undefined) return;
  const name = value("name");
  const showsReason = name?.type === "TemplateLiteral" && name.expressions.length > 0;
  if (ignore.type === "Literal" || !showsReason) {
    context.report({
      node: options,
      message: "a skipped test needs a condition, and its name must show the reason: `…${reason}`",
    });
  }
}

function memberPath(node: Deno.lint.Node): string {
  if (node.type === "Identifier") return node.name;
  if (node.type !== "MemberExpression") return "";
  return `${memberPath(node.object)}.${memberPath(node.property)}`;
}

const plugin: Deno.lint.Plugin = {
  name: "paddock",
  rules: {
    "package-order": moduleRule(packageOrderProblem),
    "private-import": moduleRule(privateImport),
    "export-all": exportAll,
    "silent-skip": silentSkip,
  },
};

export default plugin;
