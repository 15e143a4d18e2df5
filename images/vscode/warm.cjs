"use strict";
// Run once while the layer is built: lets Node compile what an editor's processes run, and keep that in
// the layer's `cache`. Loaded into each of those processes, it has them write what they compiled.
const { spawn } = require("node:child_process");
const { mkdirSync } = require("node:fs");
const { flushCompileCache } = require("node:module");
const { join } = require("node:path");

const warmMs = 6_000;

if (require.main === module) warm();
else {
  setTimeout(() => {
    flushCompileCache();
    process.reallyExit(0);
  }, warmMs);
}

async function warm() {
  const folder = join(process.env.HOME, "folder");
  mkdirSync(folder, { recursive: true });
  const out = join(__dirname, "node_modules/code-server/lib/vscode/out");
  const fork = (type, entry) =>
    run([join(out, "bootstrap-fork"), `--type=${type}`], { VSCODE_ESM_ENTRYPOINT: entry });
  await run([
    join(__dirname, "start.cjs"),
    ...["--auth", "none", "--bind-addr", "127.0.0.1:0"],
    folder,
  ]);
  await fork("extensionHost", "vs/workbench/api/node/extensionHostProcess");
  await fork("ptyHost", "vs/platform/terminal/node/ptyHostMain");
  await fork("fileWatcher", "vs/platform/files/node/watcher/watcherMain");
}

function run(args, more = {}) {
  const env = { ...process.env, ...more, NODE_OPTIONS: `--require=${__filename}` };
  const child = spawn(process.execPath, args, { env, stdio: "inherit" });
  return new Promise((resolve) => child.on("exit", resolve));
}
