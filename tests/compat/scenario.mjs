// One program for every published client generation, on Deno and on Node: calls every RPC method
// the client can send and prints one JSON line per check. `methods_test.ts` runs and judges it.
// TEST_CLIENT_PARTS narrows it down to some of its parts.
import process from "node:process";
import { makeContext } from "./scenario_context.mjs";
import { exposed } from "./scenario_exposed.mjs";
import { files } from "./scenario_files.mjs";
import { fileHandles } from "./scenario_file_handles.mjs";
import { javascript } from "./scenario_javascript.mjs";
import { javascriptValues } from "./scenario_values.mjs";
import { lifecycle } from "./scenario_lifecycle.mjs";
import { network } from "./scenario_network.mjs";
import { processes } from "./scenario_processes.mjs";
import { vscode } from "./scenario_vscode.mjs";

const context = await makeContext();
const parts = {
  ...{ files, fileHandles, processes, javascript, javascriptValues, network, exposed, vscode },
  lifecycle,
};
const only = process.env.TEST_CLIENT_PARTS?.split(",");
for (const [name, part] of Object.entries(parts)) {
  if (only && !only.includes(name)) continue;
  try {
    await part(context);
  } catch (error) {
    context.report({ name: `${name}: ran to its end`, ok: false, detail: String(error?.stack) });
  }
}
await context.close();
context.report({ methods: context.methods() });
// Nothing may keep a client's process alive once its sandboxes are closed; `ended` says it did not.
context.report({ end: true });
