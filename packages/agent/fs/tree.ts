import { type ClaimedStream, TreeEncoder } from "@paddock/protocol";
import { byteStream } from "./byte_stream.ts";
import { LocalTreeSource } from "./tree_source.ts";
import { TreeSink } from "./tree_sink.ts";

const READ_BYTES = 64 * 1024;

/** A file or directory as the bytes of `TreeEncoder`. Fails here when it is not there. */
export function readTree(path: string, signal: AbortSignal): ReadableStream<Uint8Array> {
  signal.throwIfAborted();
  const source = new LocalTreeSource(path);
  const encoder = new TreeEncoder(source);
  return byteStream({
    read: async (view) => await encoder.fill(view) || null,
    close: () => source.close(),
    readBytes: READ_BYTES,
  }, signal);
}

/** Writes what a client's `TreeEncoder` sends, and says how many entries it was. */
export async function writeTree(
  root: { path: string; throughLink: boolean },
  content: ClaimedStream,
  signal: AbortSignal,
): Promise<number> {
  const path = root.path === "/" ? "/" : root.path.replace(/\/+$/, "");
  const sink = new TreeSink({ ...root, path });
  try {
    await content.drainInto((chunk) => sink.write(chunk), signal);
    sink.end();
    return sink.entries;
  } finally {
    sink.close();
  }
}
