// Loaded before a README example. Some examples read files that the reader of a README is told to
// have: this puts them into the sandbox as soon as the example has created it.
import process from "node:process";
import { Sandbox } from "@deno/sandbox";

const files = JSON.parse(process.env.TEST_SANDBOX_FILES ?? "{}");
const create = Sandbox.create;
Sandbox.create = async function (...args) {
  const sandbox = await create.apply(Sandbox, args);
  const fs = sandbox.fs ?? sandbox;
  for (const [name, content] of Object.entries(files)) await fs.writeTextFile(name, content);
  return sandbox;
};
