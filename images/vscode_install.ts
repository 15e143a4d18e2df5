import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import * as esbuild from "esbuild";
import { findHostPrograms } from "./host_programs.ts";
import { fillVscodeCache } from "./vscode_cache.ts";
import { repositoryRoot } from "./repository_root.ts";
import { runChild } from "./run_child.ts";

export interface VscodeInstallOptions {
  /** An empty directory beside the layer's final place. */
  into: string;
  /** What the layer will be called. */
  name: string;
  timeoutMs: number;
  signal?: AbortSignal;
  onProgress: (percent: number, what: string) => void;
}

/** What the layer is made from, next to the versions in its lock file. */
export const vscodeSources = join(repositoryRoot, "images/vscode");

/** Those of its files that are ours. */
export const vscodeOwnFiles = [
  "spdlog.cjs",
  "watchdog.cjs",
  "start.cjs",
  "warm.cjs",
  "extension/package.json",
  "extension/extension.cjs",
] as const;

/** How npm's errors name what was to be built, and what to do. */
export const vscodeSubject = "The VS Code layer";
export const vscodeHint = "`paddock image vscode` tries again and shows how far it is.";

/**
 * Parts that a sandbox's editor has no use for: other systems' binaries, services that need an account
 * with their maker, and sources of what is bundled. Paths from the VS Code server's folder.
 */
export const trimmedParts = [
  ...["copilot", "microsoft-authentication", "mermaid-markdown-features", "tunnel-forwarding"]
    .map((name) => `extensions/${name}`),
  "node_modules/@github",
  "node_modules/@microsoft/mxc-sdk",
  "node_modules/@devcontainers",
  "node_modules/@vscode/windows-process-tree",
  "node_modules/@vscode/windows-registry",
  "node_modules/@vscode/sqlite3",
  "node_modules/@vscode/spdlog",
  "node_modules/@vscode/native-watchdog",
  "node_modules/@parcel/watcher-linux-x64-musl",
  "node_modules/kerberos",
  "node_modules/cpu-features",
  "node_modules/node-pty/third_party",
  "node_modules/node-pty/src",
  ...["cs", "de", "es", "fr", "it", "ja", "ko", "pl", "pt-br", "ru", "tr", "zh-cn", "zh-tw"]
    .map((name) => `extensions/node_modules/typescript/lib/${name}`),
  "extensions/node_modules/typescript/lib/_tsc.js",
  "out/nls.metadata.json",
] as const;

/** Folders of one binary per system, of which one is kept. */
const platformFolders = [
  ["node_modules/@vscode/ripgrep-universal/bin", "linux-x64"],
  ["node_modules/node-pty/prebuilds", "linux-x64"],
] as const;

/** Built-in extensions that start a process or hold much memory. */
const heavyExtensions =
  /-language-features$|^ms-vscode|^notebook|^github|^debug-|^(?:emmet|ipynb|npm|grunt|gulp|jake|references-view|terminal-suggest|php|media-preview|markdown-math|node_modules)$/;

/** Smaller files are not worth a second one. */
const compressedFrom = 32 * 1024;

/** Native modules without which the editor would be an editor without terminals or file events. */
const required = [
  "node_modules/node-pty/prebuilds/linux-x64/pty.node",
  "node_modules/@parcel/watcher-linux-x64-glibc/watcher.node",
  "node_modules/@vscode/ripgrep-universal/bin/linux-x64/rg",
];

/**
 * Installs code-server and Node 24. No install script runs and nothing is compiled: the modules that
 * matter carry binaries for Linux, and VS Code does without the others.
 */
export async function installVscode(options: VscodeInstallOptions): Promise<void> {
  const { into, onProgress } = options;
  const { node, npm } = await findHostPrograms();
  const install = async (folder: string) => {
    await runChild([
      node.path,
      join(npm.path, "bin/npm-cli.js"),
      ...["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"],
      ...["--no-update-notifier", "--prefer-offline"],
    ], {
      cwd: folder,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      subject: vscodeSubject,
      hint: vscodeHint,
      env: { PATH: `${join(node.path, "..")}:${Deno.env.get("PATH")}`, NO_COLOR: "1" },
    });
  };
  onProgress(2, "downloading code-server");
  for (const name of ["package.json", "package-lock.json"]) {
    await Deno.copyFile(join(vscodeSources, name), join(into, name));
  }
  await install(into);
  const server = join(into, "node_modules/code-server/lib/vscode");
  onProgress(35, "downloading the parts of VS Code's server");
  // The package's own names a dependency too few, so that npm could not keep to it.
  await Deno.copyFile(
    join(vscodeSources, "server-shrinkwrap.json"),
    join(server, "npm-shrinkwrap.json"),
  );
  await install(server);
  onProgress(75, "downloading TypeScript");
  await install(join(server, "extensions"));
  onProgress(85, "removing what a sandbox does not need");
  await trim(server);
  await removeMaps(into);
  await placeStandIn(server, "@vscode/spdlog", "spdlog.cjs");
  await placeStandIn(server, "@vscode/native-watchdog", "watchdog.cjs");
  await placeOurs(into, server);
  await placeLight(into, server);
  onProgress(88, "compressing what a page loads");
  await compressPage(server);
  for (const path of required) await Deno.stat(join(server, path));
  onProgress(92, "adding Node");
  await Deno.mkdir(join(into, "bin"));
  await Deno.copyFile(node.path, join(into, "bin/node"));
  await Deno.chmod(join(into, "bin/node"), 0o755);
  // Read by the sandbox's user, whatever mask the builder ran with.
  await runChild(["chmod", "-R", "u=rwX,go=rX", into], {
    timeoutMs: 60_000,
    signal: options.signal,
    subject: vscodeSubject,
  });
  onProgress(94, "compiling what an editor runs");
  await fillVscodeCache(options);
}

async function trim(server: string): Promise<void> {
  for (const part of trimmedParts) {
    await Deno.remove(join(server, part), { recursive: true }).catch(ignoreMissing);
  }
  for (const [folder, kept] of platformFolders) {
    for await (const { name } of Deno.readDir(join(server, folder))) {
      if (name !== kept) await Deno.remove(join(server, folder, name), { recursive: true });
    }
  }
}

/** A file of ours in the place of a native module. */
async function placeStandIn(server: string, name: string, file: string): Promise<void> {
  const folder = join(server, "node_modules", name);
  await Deno.mkdir(folder);
  await Deno.copyFile(join(vscodeSources, file), join(folder, "index.js"));
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ name, version: "0.0.0-paddock", main: "index.js" }),
  );
}

/** Our way to start it, and the extension with the preview and the stop button. */
async function placeOurs(root: string, server: string): Promise<void> {
  await Deno.copyFile(join(vscodeSources, "warm.cjs"), join(root, "warm.cjs"));
  await bundleStart(root);
  const extension = join(server, "extensions/paddock");
  await Deno.mkdir(extension);
  for (const name of ["package.json", "extension.cjs"]) {
    await Deno.copyFile(join(vscodeSources, "extension", name), join(extension, name));
  }
}

/**
 * All of code-server's own program in one file: a guest takes longer to find and open three hundred than
 * to run them. The file is beside code-server's, which look for others from where they are.
 */
async function bundleStart(root: string): Promise<void> {
  const folder = "node_modules/code-server/out/node";
  const source = join(root, folder, "paddock_source.cjs");
  await Deno.copyFile(join(vscodeSources, "start.cjs"), source);
  await esbuild.build({
    entryPoints: [source],
    outfile: join(root, folder, "paddock.cjs"),
    bundle: true,
    platform: "node",
    target: "node24",
    minifyWhitespace: true,
    // Native, and for passwords, of which there are none.
    external: ["argon2"],
    logLevel: "silent",
  });
  await esbuild.stop();
  await Deno.remove(source);
  await Deno.symlink(join(folder, "paddock.cjs"), join(root, "start.cjs"));
}

/** The built-in extensions of an editor in a small sandbox: those that colour and count no cost. */
async function placeLight(root: string, server: string): Promise<void> {
  const folder = join(root, "light");
  await Deno.mkdir(folder);
  for await (const { name, isDirectory } of Deno.readDir(join(server, "extensions"))) {
    if (!isDirectory || heavyExtensions.test(name)) continue;
    const target = `../node_modules/code-server/lib/vscode/extensions/${name}`;
    await Deno.symlink(target, join(folder, name));
  }
}

/** start.cjs sends a `.gz` in place of the file beside it. */
async function compressPage(server: string): Promise<void> {
  const compress = promisify(gzip);
  for (const path of await filesBelow(join(server, "out"))) {
    if (!/\.(?:js|css)$/.test(path) || path.includes("/node/")) continue;
    const content = await Deno.readFile(path);
    if (content.length < compressedFrom) continue;
    await Deno.writeFile(`${path}.gz`, await compress(content, { level: 9 }));
  }
}

async function removeMaps(root: string): Promise<void> {
  for (const path of await filesBelow(root)) {
    if (/\.(?:js|css|cjs|mjs)\.map$/.test(path)) await Deno.remove(path);
  }
}

async function filesBelow(root: string): Promise<string[]> {
  const files: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      (isDirectory ? folders : files).push(join(folder, name));
    }
  }
  return files;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
