import { TreeEncoder } from "@paddock/protocol";
import { stat } from "node:fs/promises";
import { basename, posix, resolve } from "node:path";
import { localChunkBytes } from "./_defaults.ts";
import type { FileInfo, SandboxFs } from "./fs_types.ts";
import { LocalTreeSource } from "./local_tree_source.ts";
import { TransferMeter } from "./transfer_meter.ts";
import type { UploadOptions } from "./transfer_types.ts";

/** Sends the stream of `TreeEncoder` to be written at a path of the sandbox. */
export type SendTree = (
  target: { path: string; throughLink: boolean },
  content: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal | undefined,
) => Promise<void>;

/** Copies what is at `localPath` into the sandbox, like `cp -r`. */
export async function upload(
  fs: SandboxFs,
  sendTree: SendTree,
  localPath: string,
  sandboxPath: string,
  options: UploadOptions = {},
): Promise<void> {
  const { signal } = options;
  signal?.throwIfAborted();
  const local = resolve(localPath);
  const sourceInfo = await stat(local);
  let target = sandboxPath;
  let there = await infoOf(fs, target);
  // A link that the caller names is followed, one that is found in the directory they name is not.
  const throughLink = !there?.isDirectory;
  if (there?.isDirectory) {
    target = posix.join(sandboxPath, basename(local));
    there = undefined;
  }
  const source = new LocalTreeSource(local, new TransferMeter(options.onProgress), signal);
  try {
    if (sourceInfo.isFile() && there && !there.isFile && !there.isDirectory) {
      // A device or a pipe has no name to be put in the place of.
      await fs.writeFile(target, contentOf(source), { signal, create: false });
    } else {
      await sendTree({ path: target, throughLink }, treeOf(source), signal);
    }
  } catch (error) {
    throw source.error ?? error;
  } finally {
    await source.close();
  }
}

function treeOf(source: LocalTreeSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TreeEncoder(source);
  return filledBy((view) => encoder.fill(view), source);
}

/** The content alone of a source that is one file. */
function contentOf(source: LocalTreeSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  const started = source.next();
  started.catch(() => {});
  return filledBy(async (view) => {
    await started;
    return await source.read(view);
  }, source);
}

/** A byte stream that reads straight into its reader's buffers. */
function filledBy(
  fill: (view: Uint8Array) => Promise<number>,
  source: LocalTreeSource,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      const request = controller.byobRequest;
      const view = request?.view;
      const buffer = view
        ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
        : new Uint8Array(localChunkBytes);
      const bytes = await fill(buffer);
      if (bytes === 0) {
        controller.close();
        request?.respond(0);
      } else if (request) request.respond(bytes);
      else controller.enqueue(buffer.subarray(0, bytes) as Uint8Array<ArrayBuffer>);
    },
    cancel: () => source.close(),
  });
}

async function infoOf(fs: SandboxFs, path: string): Promise<FileInfo | undefined> {
  try {
    return await fs.stat(path);
  } catch (error) {
    if ((error as { name?: string }).name === "NotFound") return undefined;
    throw error;
  }
}
