#!/usr/bin/env node
// Runs the `paddock` command: plain Node that finds the Deno binary npm installed and hands over
// to packages/cli/main.ts. Nothing but Node's own modules is imported, so it starts at once.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(realpathSync(fileURLToPath(import.meta.url)));
const main = join(here, "..", "main.ts");

const deno = findDeno();
if (deno === undefined) {
  process.stderr.write(
    "paddock: Deno is not installed here.\n" +
      "  Run `npm ci` in the Paddock folder, or set PADDOCK_DENO to a deno 2.9 binary.\n",
  );
  process.exit(1);
}

const child = spawn(deno, ["run", "-A", "--quiet", "--no-lock", main, ...process.argv.slice(2)], {
  stdio: "inherit",
  // The command watches this process: should it be killed outright, nothing can be forwarded.
  env: { ...process.env, PADDOCK_LAUNCHER_PID: String(process.pid) },
});

// A terminal sends Ctrl-C to both processes; main.ts counts signals that arrive together as one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
  try {
    process.on(signal, () => child.kill(signal));
  } catch {
    // Not every platform has every signal.
  }
}

// npx and npm scripts put a shell between themselves and this process, and a signal sent to npx
// ends that shell without reaching us: its end is the signal.
if (startedByNpm()) {
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 50);
}

child.on("error", (error) => {
  process.stderr.write(`paddock: cannot start ${deno}: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(signal === null ? code : 128 + (constants.signals[signal] ?? 0));
});

/** The variable is inherited by everything npm runs, so the parent must be npm's own shell. */
function startedByNpm() {
  if (!process.env.npm_command) return false;
  try {
    return /^(?:\/bin\/)?sh\0-c\0/.test(readFileSync(`/proc/${process.ppid}/cmdline`, "utf8"));
  } catch {
    return false;
  }
}

/** The binary packages are looked at first: `npm ci --ignore-scripts` leaves only those in place. */
function findDeno() {
  if (process.env.PADDOCK_DENO) return process.env.PADDOCK_DENO;
  for (let folder = here;; folder = dirname(folder)) {
    const modules = join(folder, "node_modules");
    for (const name of binaryPackages(modules)) {
      const candidate = join(modules, name, "deno");
      if (existsSync(candidate)) return candidate;
    }
    if (folder === dirname(folder)) break;
  }
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    // A node_modules/.bin on the path holds a wrapper script, which would add a second launcher.
    if (folder === "" || folder.endsWith(".bin")) continue;
    const candidate = join(folder, "deno");
    if (existsSync(candidate)) return candidate;
  }
  return undefined;
}

function binaryPackages(modules) {
  const prefix = `${process.platform}-${process.arch}`;
  let names = [];
  try {
    names = readdirSync(join(modules, "@deno")).filter((name) => name.startsWith(prefix));
  } catch {
    // No such folder at this level.
  }
  return [...names.map((name) => join("@deno", name)), "deno"];
}
