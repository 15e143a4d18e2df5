import { access, lstat, readFile, rename, writeFile } from "node:fs/promises";
import { constants } from "node:fs";
import { delimiter, join, resolve, sep } from "node:path";
import { denoPath, root } from "./paths.mjs";
import { runProgram } from "./run_program.mjs";
import { SetupError } from "./setup_error.mjs";

const timeoutMs = 15 * 60_000;

/** `npm ci` when what is installed is not what the lock file asks for. */
export async function installNpmPackages({ progress, signal }) {
  if (await isInstalled()) {
    await placeDeno();
    return false;
  }
  progress.update(0, "npm ci");
  const { command, args } = await findNpm();
  // Install scripts are not needed: the binaries come as packages of their own for this platform.
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await runProgram(command, [...args, "ci", ...flags], {
    cwd: root,
    env: { ...process.env, PATH: pathWithoutOurs() },
    timeoutMs,
    signal,
    what: "npm ci",
  });
  if (!await isInstalled()) {
    throw new SetupError(`npm ci ended well, but node_modules does not match package-lock.json`);
  }
  await placeDeno();
  return true;
}

const denoLauncher = `#!/bin/sh
exec "\${0%/*}/../@deno/linux-x64-glibc/deno" "$@"
`;

/**
 * Makes node_modules/.bin/deno a launcher that becomes Deno. The npm package's own starts Deno as a
 * child and passes no signals on, and its install script, which would replace it, may be blocked.
 */
async function placeDeno() {
  const path = join(root, "node_modules/.bin/deno");
  const { size } = await lstat(path).catch(() => ({ size: 0 }));
  if (size === denoLauncher.length) return;
  await writeFile(`${path}.new`, denoLauncher, { mode: 0o755 });
  await rename(`${path}.new`, path);
}

/** npm keeps a record of what it installed; it is compared with the lock file, entry by entry. */
async function isInstalled() {
  const [wanted, present] = await Promise.all([
    readFile(join(root, "package-lock.json"), "utf8"),
    readFile(join(root, "node_modules/.package-lock.json"), "utf8").catch(() => undefined),
  ]);
  if (present === undefined) return false;
  try {
    await access(denoPath, constants.X_OK);
  } catch {
    return false;
  }
  return lockMatches(JSON.parse(wanted).packages, JSON.parse(present).packages);
}

export function lockMatches(wanted, present) {
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith("node_modules/")) continue;
    const found = present[path];
    // A package for another platform is optional and stays away.
    if (!found && entry.optional) continue;
    if (!found || found.version !== entry.version || found.integrity !== entry.integrity) {
      return false;
    }
  }
  return Object.keys(present).every((path) => path in wanted || !path.startsWith("node_modules/"));
}

/**
 * The host's npm. Under `npm test` the folder node_modules/.bin is first in PATH, and both the node
 * and the npm in it are what `npm ci` is about to replace.
 */
async function findNpm() {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith(".js") && !isOurs(cli)) {
    return { command: await findNode(), args: [cli] };
  }
  const npm = await findInPath("npm");
  if (!npm) throw new SetupError("npm is missing: install it together with Node 20 or newer");
  return { command: npm, args: [] };
}

async function findNode() {
  for (const path of [process.env.npm_node_execpath, process.execPath]) {
    if (path && !isOurs(path)) return path;
  }
  const node = await findInPath("node");
  if (!node) throw new SetupError("no Node outside of node_modules was found in PATH");
  return node;
}

async function findInPath(name) {
  for (const folder of pathWithoutOurs().split(delimiter)) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
}

function pathWithoutOurs() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.filter((folder) => folder !== "" && !isOurs(folder)).join(delimiter);
}

function isOurs(path) {
  return resolve(path).split(sep).includes("node_modules") && resolve(path).startsWith(root);
}
