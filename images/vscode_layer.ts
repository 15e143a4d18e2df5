import { createHash } from "node:crypto";
import { join } from "node:path";
import { findHostPrograms } from "./host_programs.ts";
import { ImageBuildError } from "./image_build_error.ts";
import { lockImages } from "./image_lock.ts";
import { completeEntry, defaultDataDir, newEntry, readManifest } from "./image_store.ts";
import { removeEntry, removeHalfBuilt } from "./image_store.ts";
import { treeSize } from "./tree_size.ts";
import {
  installVscode,
  trimmedParts,
  vscodeHint,
  vscodeOwnFiles,
  vscodeSources,
  vscodeSubject,
} from "./vscode_install.ts";

/**
 * The folder of one data directory that holds layers, which every sandbox sees, read-only, at
 * /opt/paddock/layers:
 *
 *     layers/vscode-<digest>/bin/node, node_modules/code-server, manifest.json
 *     layers/.tmp-<random>/     half-built; a sandbox takes it for a sign that one is being built
 *     layers.lock               held (flock) while a layer is built
 */
export interface LayerStore {
  readonly dir: string;
  readonly lockPath: string;
}

export interface EnsureVscodeOptions {
  dataDir: string;
  /** How long one build may take; 15 minutes when not given. */
  timeoutMs?: number;
  signal?: AbortSignal;
  onProgress?: (progress: { percent: number; what: string }) => void;
  /** Fills the layer; npm does when not given. */
  install?: typeof installVscode;
}

export interface VscodeManifest {
  digest: string;
  /** What the agent relies on: raised when paths in the layer change. */
  layout: number;
  /** Where the editor looks for extensions. */
  marketplace: string | null;
  inputs: VscodeInputs;
  sizes: { bytes: number; files: number };
  createdAt: string;
}

export interface VscodeLayer {
  digest: string;
  path: string;
  manifest: VscodeManifest;
}

interface VscodeInputs {
  layout: number;
  arch: string;
  locks: string[];
  node: string;
  npm: string;
  sources: string[];
  trimmed: readonly string[];
}

const layout = 3;
const defaultTimeoutMs = 15 * 60_000;
/** A layer of another version that was not used for so long goes when a new one is built. */
const keptForMs = 7 * 24 * 60 * 60_000;

/** The VS Code layer of this version, built when the data directory does not have it. */
export async function ensureVscodeLayer(options: EnsureVscodeOptions): Promise<VscodeLayer> {
  const { timeoutMs = defaultTimeoutMs, signal } = options;
  const inputs = await vscodeInputs();
  const digest = digestOf(inputs);
  const store = layerStore(await layersDirectory(options.dataDir));
  const found = await findLayer(store, digest);
  if (found) return found;
  const report = (percent: number, what: string) => options.onProgress?.({ percent, what });
  await prepareStore(store);
  await using _lock = await lockImages(store.lockPath, {
    signal,
    timeoutMs,
    onWait: () => report(0, "waiting for another process that installs it"),
  });
  const builtMeanwhile = await findLayer(store, digest);
  if (builtMeanwhile) return builtMeanwhile;
  await removeHalfBuilt(store);
  const entry = await newEntry(store);
  try {
    await (options.install ?? installVscode)({
      into: entry,
      name: nameOf(digest),
      timeoutMs,
      signal,
      onProgress: report,
    });
    const manifest: VscodeManifest = {
      digest,
      marketplace: await findMarketplace(entry),
      layout,
      inputs,
      sizes: await treeSize(entry),
      createdAt: new Date().toISOString(),
    };
    await Deno.writeTextFile(join(entry, "manifest.json"), JSON.stringify(manifest, null, 2));
    await completeEntry(entry, join(store.dir, nameOf(digest)));
  } catch (error) {
    await Deno.remove(entry, { recursive: true }).catch(() => {});
    throw error;
  }
  await prune(store, digest);
  report(100, "VS Code is ready");
  const layer = await findLayer(store, digest);
  if (!layer) throw failed(`${store.dir}/${nameOf(digest)} was removed as it was built`);
  return layer;
}

/** Whether `ensureVscodeLayer` would have nothing to do. */
export async function vscodeLayerIsBuilt(
  options: { dataDir: string },
): Promise<{ digest: string; built: boolean }> {
  const digest = digestOf(await vscodeInputs());
  const store = layerStore(await layersDirectory(options.dataDir));
  return { digest, built: await findLayer(store, digest) !== undefined };
}

/**
 * The folder that sandboxes of a data directory see. A host that was set up has its layers in the
 * default data directory: those are everybody's.
 */
export async function layersDirectory(dataDir: string): Promise<string> {
  const digest = digestOf(await vscodeInputs());
  const [own, shared] = [dataDir, defaultDataDir].map((dir) => layerStore(join(dir, "layers")));
  if (await readManifest(join(own.dir, nameOf(digest)))) return own.dir;
  return await readManifest(join(shared.dir, nameOf(digest))) ? shared.dir : own.dir;
}

function layerStore(dir: string): LayerStore {
  return { dir, lockPath: `${dir}.lock` };
}

async function vscodeInputs(): Promise<VscodeInputs> {
  const { node, npm } = await findHostPrograms();
  const hashes = (names: readonly string[]) =>
    Promise.all(names.map(async (name) => sha256(await Deno.readFile(join(vscodeSources, name)))));
  return {
    layout,
    arch: Deno.build.arch,
    locks: await hashes(["package-lock.json", "server-shrinkwrap.json"]),
    node: node.version,
    npm: npm.version,
    sources: await hashes(vscodeOwnFiles),
    trimmed: trimmedParts,
  };
}

async function findLayer(store: LayerStore, digest: string): Promise<VscodeLayer | undefined> {
  const path = join(store.dir, nameOf(digest));
  const manifest = await readManifest<VscodeManifest>(path);
  if (!manifest) return;
  const now = new Date();
  // Not ours to touch when it is another user's; then it is not ours to prune either.
  await Deno.utime(path, now, now).catch(() => {});
  return { digest, path, manifest };
}

/** The address that this version of code-server has built in. */
async function findMarketplace(entry: string): Promise<string | null> {
  const path = join(entry, "node_modules/code-server/lib/vscode/out/server-main.js");
  const text = await Deno.readTextFile(path).catch(() => "");
  return /\bserviceUrl:"(https:\/\/[^"]+)"/.exec(text)?.[1] ?? null;
}

async function prepareStore(store: LayerStore): Promise<void> {
  if (Deno.uid() !== 0) throw failed("building it needs root");
  try {
    await Deno.mkdir(store.dir, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw failed(`${store.dir} cannot be made: ${(cause as Error).message}`);
  }
}

async function prune(store: LayerStore, current: string): Promise<void> {
  for await (const { name } of Deno.readDir(store.dir)) {
    if (!name.startsWith("vscode-") || name === nameOf(current)) continue;
    const { mtime } = await Deno.stat(join(store.dir, name));
    if (Date.now() - (mtime?.getTime() ?? Date.now()) < keptForMs) continue;
    await removeEntry(store, join(store.dir, name));
  }
}

function nameOf(digest: string): string {
  return `vscode-${digest}`;
}

function digestOf(inputs: VscodeInputs): string {
  return sha256(JSON.stringify(inputs)).slice(0, 32);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function failed(what: string): ImageBuildError {
  return new ImageBuildError(what, { subject: vscodeSubject, hint: vscodeHint });
}
