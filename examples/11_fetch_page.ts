// Shows: code in a sandbox uses an API on the internet (the npm registry of this host).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Sandbox } from "@paddock/sandbox";

const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"]);
const registry = stdout.trim().replace(/\/$/, "");

await using sandbox = await Sandbox.create();
await using repl = await sandbox.deno.repl();

const latest = await repl.call<{ name: string; license: string; modules: number }>(
  `async (url) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
    if (!response.ok) throw new Error("the registry answers " + response.status);
    const found = await response.json();
    return { name: found.name, license: found.license, modules: Object.keys(found.exports).length };
  }`,
  `${registry}/hono/latest`,
);
console.log(`${latest.name}: licence ${latest.license}, ${latest.modules} entry points`);
