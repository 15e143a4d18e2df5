import { PaddockError } from "@paddock/protocol";

/** How long a stream stays open after its process ended while something else holds the pipe. */
const DRAIN_GRACE_MS = 300;

/**
 * What a process writes, read only as fast as it is taken. When the process has ended but a child
 * of it keeps the pipe open, the stream ends after a moment of silence; what still comes, and what
 * comes after the connection is lost, is read and dropped, so that nobody blocks on it. When the
 * reader gives up, the pipe is closed, as it is for a reader inside.
 *
 * What the process wrote is in the pipe when it has ended, though whoever says so may be late: `lookAgain` has
 * a read that waits look for itself, and silence is what was found by looking.
 */
export function outputStream(
  source: ReadableStream<Uint8Array>,
  exited: Promise<unknown>,
  lookAgain: () => void = () => {},
): ReadableStream<Uint8Array> {
  const reader = source.getReader({ mode: "byob" });
  let ended = false;
  /** Of the read that waits now: one hook, so that a long stream leaves no trail of reactions. */
  let onExit: (() => void) | undefined;
  const end = () => {
    ended = true;
    onExit?.();
  };
  exited.then(end, end);

  function untilQuiet<T>(reading: Promise<T>): Promise<T | undefined> {
    if (ended) return quiet(reading, lookAgain);
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    onExit = () => {
      lookAgain();
      resolve(quiet(reading, lookAgain));
    };
    reading.then(resolve, reject);
    return promise;
  }

  async function drain(): Promise<void> {
    let buffer = new Uint8Array(64 * 1024);
    try {
      while (true) {
        const { value, done } = await reader.read(buffer);
        if (done) return;
        buffer = new Uint8Array(value.buffer);
      }
    } catch {
      // The pipe is gone: nothing is left to drop.
    }
  }

  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view
        ? new Uint8Array(request.view.buffer, request.view.byteOffset, request.view.byteLength)
        : new Uint8Array(64 * 1024);
      const { byteOffset } = view;
      const bufferBytes = view.buffer.byteLength;
      const reading = reader.read(view);
      const result = await untilQuiet(reading);
      if (result === undefined || result.done) {
        if (result === undefined) reading.then(drain, () => {});
        controller.close();
        // The buffer of the request went with the read; an empty view of an equal one answers it.
        request?.respondWithNewView(new Uint8Array(new ArrayBuffer(bufferBytes), byteOffset, 0));
      } else if (request) {
        request.respondWithNewView(result.value);
      } else {
        controller.enqueue(result.value);
      }
    },
    cancel(reason) {
      // A client that is gone takes nothing from what it started; one that gives up reading does.
      if (reason instanceof PaddockError && reason.code === "CONNECTION_LOST") void drain();
      else reader.cancel().catch(() => {});
    },
  }, { highWaterMark: 0 });
}

/** The read if it comes to an end within the grace, else undefined. */
async function quiet<T>(reading: Promise<T>, lookAgain: () => void): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let timer = setTimeout(() => {
    lookAgain();
    // Whatever that finds settles the read before any timer.
    timer = setTimeout(() => resolve(undefined));
  }, DRAIN_GRACE_MS);
  try {
    return await Promise.race([reading, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads and drops everything, so that whoever writes never blocks. */
export async function discard(source: ReadableStream<Uint8Array>): Promise<void> {
  const reader = source.getReader();
  try {
    while (!(await reader.read()).done);
  } catch {
    // The pipe is gone.
  }
}
