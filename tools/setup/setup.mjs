// Prepares this checkout and this host: npm packages, system packages, SDK build, guest image. With
// `--tests` also what only the tests and the benchmark need: a browser, SSH clients, the VS Code layer, and
// QEMU with what virtual machines boot (which a host that has QEMU already gets in any case).
// Plain Node without dependencies, because it runs before there are any. Every step looks first
// whether there is something to do, so a second run is quick.
import { parseArgs } from "node:util";
import { checkHost } from "./host.mjs";
import { installNpmPackages } from "./npm_packages.mjs";
import { installSystemPackages } from "./system_packages.mjs";
import { buildSdk } from "./sdk_build.mjs";
import { buildGuestImage } from "./guest_image.mjs";
import { buildVmGuest } from "./vm_guest.mjs";
import { wantsVms } from "./required_programs.mjs";
import { buildVscodeLayer } from "./vscode_layer.mjs";
import { createProgress } from "./progress.mjs";
import { SetupError } from "./setup_error.mjs";

const { values: { tests } } = parseArgs({
  options: { tests: { type: "boolean", default: false } },
});

const steps = [
  ["npm packages", installNpmPackages],
  ["system packages", installSystemPackages],
  ["client library", buildSdk],
  ["guest image", buildGuestImage],
  ...(await wantsVms({ tests }) ? [["virtual machines", buildVmGuest]] : []),
  ...(tests ? [["VS Code", buildVscodeLayer]] : []),
];

const progress = createProgress(process.stderr);
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => interrupt.abort(new SetupError(`interrupted by ${signal}`)));
}

try {
  const host = await checkHost();
  const started = Date.now();
  let worked = false;
  for (const [index, [name, step]] of steps.entries()) {
    const bar = progress.step(`${name} (${index + 1}/${steps.length})`);
    worked = (await step({ host, tests, progress: bar, signal: interrupt.signal })) || worked;
    bar.end();
  }
  if (worked) progress.say(`Paddock is set up (${seconds(started)} s).`);
} catch (error) {
  progress.close();
  const known = error instanceof SetupError || error?.name === "AbortError";
  console.error(known ? `setup: ${error.message}` : error);
  process.exitCode = 1;
}

function seconds(since) {
  return ((Date.now() - since) / 1000).toFixed(1);
}
