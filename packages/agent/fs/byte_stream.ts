export interface ByteSource {
  /** Fills the view from its start and says with how many bytes; null at the end. */
  read(view: Uint8Array): number | null | Promise<number | null>;
  /** Called when the stream ends, however it does. */
  close(): void;
  /** Size of a read when the stream's reader brings no memory of its own. */
  readBytes: number;
}

/** A stream that reads its source only when it is read itself, into the reader's own memory if it can. */
export function byteStream(source: ByteSource, signal?: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view
        ? new Uint8Array(request.view.buffer, request.view.byteOffset, request.view.byteLength)
        : new Uint8Array(source.readBytes);
      try {
        signal?.throwIfAborted();
        const read = await source.read(view);
        if (read === null) {
          source.close();
          controller.close();
          request?.respond(0);
        } else if (request) request.respond(read);
        else controller.enqueue(view.subarray(0, read));
      } catch (error) {
        source.close();
        throw error;
      }
    },
    cancel: () => source.close(),
  }, { highWaterMark: 0 });
}
