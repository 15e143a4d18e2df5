import { PaddockError } from "@paddock/protocol";
import { osError } from "./os_error.ts";

const READ_BYTES = 256 * 1024;

/** A whole file, refused when it is larger than a message may be. */
export async function readBounded(
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  using file = await Deno.open(path);
  const { size, isFile, isDirectory } = await file.stat();
  if (isDirectory) throw osError("EISDIR", `Is a directory (os error 21): ${path}`);
  if (isFile && size > maxBytes) throw tooLarge(path, maxBytes);
  // One byte more than the size tells the end without another allocation.
  let buffer = new Uint8Array(isFile && size > 0 ? size + 1 : READ_BYTES);
  let filled = 0;
  while (true) {
    signal?.throwIfAborted();
    const read = await file.read(buffer.subarray(filled));
    if (read === null) return buffer.subarray(0, filled);
    filled += read;
    if (filled > maxBytes) throw tooLarge(path, maxBytes);
    if (filled === buffer.length) {
      const larger = new Uint8Array(buffer.length * 2);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

function tooLarge(path: string, maxBytes: number): PaddockError {
  return new PaddockError("FILE_TOO_LARGE", {
    message: `${path} is larger than the ${maxBytes} bytes that travel in one message.`,
    details: { limit: "inlineFileBytes", max: maxBytes },
  });
}

/** A file as a stream that closes it, and its size when it was opened. */
export async function readStream(
  path: string,
  signal?: AbortSignal,
): Promise<{ stream: ReadableStream<Uint8Array>; size: number }> {
  signal?.throwIfAborted();
  const file = await Deno.open(path);
  try {
    const { size, isDirectory, isFile } = await file.stat();
    if (isDirectory) throw osError("EISDIR", `Is a directory (os error 21): ${path}`);
    return { stream: streamOf(file, isFile, signal), size };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * A regular file never lets its reader or writer wait for another program, so it is read and written
 * on this thread: to have another do it takes longer than the work. Pipes and devices are not.
 */
function streamOf(
  file: Deno.FsFile,
  isFile: boolean,
  signal?: AbortSignal,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view
        ? new Uint8Array(request.view.buffer, request.view.byteOffset, request.view.byteLength)
        : new Uint8Array(READ_BYTES);
      try {
        signal?.throwIfAborted();
        const read = isFile ? file.readSync(view) : await file.read(view);
        if (read === null) {
          file.close();
          controller.close();
          request?.respond(0);
        } else if (request) {
          request.respond(read);
        } else {
          controller.enqueue(view.subarray(0, read));
        }
      } catch (error) {
        file.close();
        throw error;
      }
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

export interface WriteOptions {
  append?: boolean;
  create?: boolean;
  createNew?: boolean;
  mode?: number;
}

/** Writes a stream to a file, no faster than the disk takes it. */
export async function writeStream(
  path: string,
  content: ReadableStream<Uint8Array>,
  options: WriteOptions,
  signal?: AbortSignal,
): Promise<void> {
  const { append = false, create = true, createNew = false, mode } = options;
  let file: Deno.FsFile;
  try {
    signal?.throwIfAborted();
    file = await Deno.open(path, {
      write: true,
      append,
      truncate: !append,
      create,
      createNew,
      ...(mode === undefined ? {} : { mode }),
    });
  } catch (error) {
    content.cancel(error).catch(() => {});
    throw error;
  }
  using _closing = file;
  if (mode !== undefined) await Deno.chmod(path, mode);
  const { isFile } = await file.stat();
  const reader = content.getReader();
  const abort = () => reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", abort);
  try {
    while (true) {
      const { value, done } = await reader.read();
      signal?.throwIfAborted();
      if (done) return;
      for (let at = 0; at < value.length;) {
        const rest = value.subarray(at);
        at += isFile ? file.writeSync(rest) : await file.write(rest);
      }
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
