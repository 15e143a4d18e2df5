// `node tools/run.mjs demo|test|bench|lab [arguments]`: what the npm scripts run once setup is done.
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { denoPath, root } from "./setup/paths.mjs";

const programs = {
  demo: "examples/demo.ts",
  test: "tools/all_tests.ts",
  bench: "bench/run.ts",
  lab: "tools/kvm_lab/main.ts",
};

const [name, ...args] = process.argv.slice(2);
if (!(name in programs)) {
  console.error(`usage: node tools/run.mjs ${Object.keys(programs).join("|")} [arguments]`);
  process.exit(2);
}
const child = spawn(denoPath, ["run", "-A", join(root, programs[name]), ...args], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, PATH: hostPath(), DENO_NO_UPDATE_CHECK: "1", DENO_NO_PROMPT: "1" },
});
// npm puts node_modules/.bin first in PATH, where `node` is the newer Node that the guest gets.
function hostPath() {
  const own = join(root, "node_modules/.bin");
  return (process.env.PATH ?? "").split(delimiter).filter((entry) => entry !== own).join(delimiter);
}

// A terminal sends Ctrl-C to the child as well; a service manager does not.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`Deno cannot be started (${error.message}); run: npm run setup`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(signal ? 1 : code));
