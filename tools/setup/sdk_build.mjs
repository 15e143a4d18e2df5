import { access } from "node:fs/promises";
import { join } from "node:path";
import { hashInputs, isStamped, stamp } from "./input_stamp.mjs";
import { denoPath, root } from "./paths.mjs";
import { runProgram } from "./run_program.mjs";

const inputs = ["packages/sdk", "packages/protocol", "package-lock.json"];

/** Builds the client library as plain ES modules, for Node and Bun. */
export async function buildSdk({ progress, signal }) {
  const hash = await hashInputs(inputs);
  const present = await access(join(root, "packages/sdk/dist")).then(() => true, () => false);
  if (present && await isStamped("sdk", hash)) return false;
  progress.update(0, "bundling");
  await runProgram(denoPath, ["run", "-A", "packages/sdk/build.ts"], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    timeoutMs: 5 * 60_000,
    signal,
    what: "packages/sdk/build.ts",
  });
  await stamp("sdk", hash);
  return true;
}
