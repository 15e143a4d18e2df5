import { TreeDecoder, type TreeEntry } from "@paddock/protocol";
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { transfersAtOnce } from "./_defaults.ts";
import type { SandboxFs } from "./fs_types.ts";
import { checkName, LocalTreeSink } from "./local_tree_sink.ts";
import { TaskPool } from "./task_pool.ts";
import { TransferMeter } from "./transfer_meter.ts";
import type { DownloadOptions } from "./transfer_types.ts";

/** Opens what is at a path of the sandbox as the stream of `TreeEncoder`. */
export type OpenTree = (
  path: string,
  signal: AbortSignal,
) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;

/** Copies what is at `sandboxPath` to this machine, like `cp -r`. */
export async function download(
  fs: SandboxFs,
  openTree: OpenTree,
  sandboxPath: string,
  localPath: string,
  options: DownloadOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  let target = resolve(localPath);
  // A link that the caller names is followed, one that is found in the directory they name is not.
  let throughLink = true;
  if (await isLocalDirectory(target)) {
    // `.` and the like have a name only the sandbox knows.
    const named = basename(sandboxPath);
    const name = /^\.{0,2}$/.test(named) ? basename(await fs.realPath(sandboxPath)) : named;
    checkName(name, sandboxPath);
    target = join(target, name);
    throughLink = false;
  }
  const pool = new TaskPool(transfersAtOnce);
  const signal = options.signal ? AbortSignal.any([options.signal, pool.signal]) : pool.signal;
  const sink = new LocalTreeSink({
    source: sandboxPath,
    target,
    throughLink,
    outsideLinks: options.outsideLinks ?? "refuse",
    meter: new TransferMeter(options.onProgress),
    pool,
  });
  try {
    await receive(await openTree(sandboxPath, signal), sink, signal);
    await sink.finish();
  } catch (error) {
    await sink.abandon(error);
    // A task that failed is why the stream was ended.
    throw pool.signal.aborted ? pool.signal.reason : error;
  }
}

type Step = { entry: TreeEntry } | { content: Uint8Array } | "fileEnd";

async function receive(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  sink: LocalTreeSink,
  signal: AbortSignal,
): Promise<void> {
  let steps: Step[] = [];
  const decoder = new TreeDecoder({
    entry: (entry) => steps.push({ entry }),
    content: (content) => steps.push({ content }),
    fileEnd: () => steps.push("fileEnd"),
  });
  const reader = stream.getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return decoder.end();
      decoder.push(value);
      for (const step of steps) {
        signal.throwIfAborted();
        if (step === "fileEnd") await sink.fileEnd();
        else if ("entry" in step) await sink.entry(step.entry);
        else await sink.content(step.content);
      }
      steps = [];
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

async function isLocalDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}
