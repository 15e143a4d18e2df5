import { type ClaimedStream, PaddockError } from "@paddock/protocol";
import { osError } from "./os_error.ts";
import { byteStream } from "./byte_stream.ts";

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
  return byteStream({
    read: (view) => isFile ? file.readSync(view) : file.read(view),
    close: () => file.close(),
    readBytes: READ_BYTES,
  }, signal);
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
  content: ClaimedStream,
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
    content.open().cancel(error).catch(() => {});
    throw error;
  }
  using _closing = file;
  if (mode !== undefined) await Deno.chmod(path, mode);
  const { isFile } = await file.stat();
  if (isFile) {
    await content.drainInto((chunk) => {
      for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
    }, signal);
  } else await writePatiently(file, content.open(), signal);
}

/** To a pipe or a device, which may let its writer wait. */
async function writePatiently(
  file: Deno.FsFile,
  content: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const reader = content.getReader();
  const abort = () => reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", abort);
  try {
    while (true) {
      const { value, done } = await reader.read();
      signal?.throwIfAborted();
      if (done) return;
      for (let at = 0; at < value.length;) at += await file.write(value.subarray(at));
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
