import { join } from "node:path";
import { ensureImage, type ImageManifest } from "../../../images/build_image.ts";
import { ensureVscodeLayer } from "../../../images/vscode_layer.ts";
import { imageState } from "../doctor/image_state.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import { Progress } from "../progress.ts";
import { onSignals } from "../signals.ts";
import { CliError } from "../cli_error.ts";
import type { DataDirOptions, JsonOption } from "./options.ts";
import { serverConfig } from "./server_config.ts";

export async function imageBuild(options: JsonOption & DataDirOptions): Promise<void> {
  const config = serverConfig(options);
  const stopped = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM"], () => {
    stopped.abort(new CliError("the build was interrupted; nothing half-built is left in place"));
  });
  using progress = new Progress();
  const image = await ensureImage({
    dataDir: config.dataDir,
    trust: config.imageTrust,
    signal: stopped.signal,
    onProgress: ({ percent, what }) => progress.update({ step: what, done: percent, total: 100 }),
  });
  if (options.json) printJson({ digest: image.digest, rootfs: image.rootfs });
  else printLine(image.rootfs);
}

export async function imageVscode(options: JsonOption & DataDirOptions): Promise<void> {
  const { dataDir } = serverConfig(options);
  const stopped = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM"], () => {
    stopped.abort(new CliError("interrupted; nothing half-installed is left in place"));
  });
  using progress = new Progress();
  const layer = await ensureVscodeLayer({
    dataDir,
    signal: stopped.signal,
    onProgress: ({ percent, what }) => progress.update({ step: what, done: percent, total: 100 }),
  });
  if (options.json) printJson({ digest: layer.digest, path: layer.path });
  else printLine(layer.path);
}

export async function imageList(options: JsonOption & DataDirOptions): Promise<void> {
  const config = serverConfig(options);
  const current = await imageState(config);
  const images = await readManifests(join(config.dataDir, "images"));
  const rows = images.map(({ digest, sizes, createdAt }) => ({
    digest,
    bytes: sizes.bytes,
    createdAt,
    current: digest === current.digest,
  }));
  if (options.json) {
    printJson(rows);
    return;
  }
  if (rows.length === 0) {
    printNote(`No images in ${config.dataDir}. \`paddock image build\` makes one.`);
    return;
  }
  printLine(formatTable(
    ["DIGEST", "SIZE", "BUILT", "USED BY"],
    rows.map((row) => [
      row.digest,
      formatBytes(row.bytes),
      `${formatDuration(Date.now() - Date.parse(row.createdAt))} ago`,
      row.current ? "this version" : "",
    ]),
  ));
}

async function readManifests(folder: string): Promise<ImageManifest[]> {
  const manifests: ImageManifest[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      // Names with a dot are the builder's own: base trees, half-built images, the lock.
      if (!entry.isDirectory || entry.name.startsWith(".")) continue;
      const text = await Deno.readTextFile(join(folder, entry.name, "manifest.json"));
      manifests.push(JSON.parse(text));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return manifests.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}
