import { repositoryFiles } from "./repository_files.ts";
import { checkTree } from "./tree_rules.ts";

// `deno lint` runs the rules in plugin.ts; this runs those that no syntax tree shows.
const findings = checkTree(await repositoryFiles());
for (const { path, line, message } of findings) {
  console.error(`${path}${line === undefined ? "" : `:${line}`}: ${message}`);
}
Deno.exit(findings.length === 0 ? 0 : 1);
