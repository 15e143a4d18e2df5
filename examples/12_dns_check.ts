// Shows: a sandbox looks a name up in the DNS (the npm registry of this host).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Sandbox } from "@paddock/sandbox";

const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"]);
const name = new URL(stdout.trim()).hostname;

await using sandbox = await Sandbox.create();

const addresses = await sandbox.eval<string[]>(
  `await Deno.resolveDns(${JSON.stringify(name)}, "A")`,
);
console.log("addresses of the registry's name:", addresses.length);
if (addresses.length === 0) throw new Error("no address");

const nobody = `nobody-${crypto.randomUUID()}.invalid`;
const message = await sandbox.eval<string>(
  `await Deno.resolveDns("${nobody}", "A").then(() => "found?", (error) => error.name)`,
);
console.log("a name that does not exist:", message);
